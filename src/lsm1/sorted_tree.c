/*
** An in-memory tree made of sorted records at once, with full nodes: for recovery (patch 445), which
** begins with an empty one.
*/
#include "extras.h"

/*
** A record that lsmTreeBuild() gets, or that has no place in the tree.
*/
static u32 lsmTreeNewKey(
  lsm_db *pDb,
  void *pKey, int nKey,
  void *pVal, int nVal,           /* nVal<0 for a delete */
  int *pRc
){
  u32 iPtr = 0;
  TreeKey *p = newTreeKey(pDb, &iPtr, pKey, nKey, pVal, nVal, pRc);
  if( p ) p->flags |= (nVal<0 ? LSM_POINT_DELETE : LSM_INSERT);
  return iPtr;
}

/*
** Makes the node above n ascending keys, and all below it, so that each leaf
** is nHeight levels down. A node is given as many keys as it takes.
*/
static u32 treeBuildNode(lsm_db *pDb, const u32 *aKey, int n, int nHeight, int *pRc){
  const i64 nMax = ((i64)1 << (2*(nHeight-1))) - 1;  /* Keys below one child */
  u32 iRet = 0;
  int nHere = n;                  /* Keys of this node */
  int iSlot;
  int i;
  TreeNode *p;

  if( nHeight>1 ){
    for(nHere=1; nHere<3 && n-nHere>(nHere+1)*nMax; nHere++);
    p = newTreeNode(pDb, &iRet, pRc);
  }else{
    p = (TreeNode *)newTreeLeaf(pDb, &iRet, pRc);
  }
  if( p==0 ) return 0;
  iSlot = (nHere==1);
  for(i=0; i<nHere; i++){
    if( nHeight>1 ){
      const int nChild = (n-(nHere-i)) / (nHere-i+1);
      p->aiChildPtr[iSlot] = treeBuildNode(pDb, aKey, nChild, nHeight-1, pRc);
      aKey += nChild;
      n -= nChild;
    }
    p->aiKeyPtr[iSlot++] = *aKey++;
    n--;
  }
  if( nHeight>1 ) p->aiChildPtr[iSlot] = treeBuildNode(pDb, aKey, n, nHeight-1, pRc);
  return iRet;
}

/*
** Fills the tree, which is empty, with ascending keys; four or more.
*/
static int lsmTreeBuild(lsm_db *pDb, const u32 *aKey, int nKey){
  TreeRoot *p = &pDb->treehdr.root;
  int rc = LSM_OK;
  u32 iRoot;
  int nHeight;
  assert( p->iRoot==0 && nKey>3 );
  for(nHeight=2; ((i64)1 << (2*nHeight))-1<nKey; nHeight++);
  iRoot = treeBuildNode(pDb, aKey, nKey, nHeight, &rc);
  if( rc==LSM_OK ){
    /* What is built by half stays out of sight. */
    p->iRoot = iRoot;
    p->nHeight = nHeight;
  }
  return rc;
}
