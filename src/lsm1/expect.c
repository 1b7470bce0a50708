/*
** Keys that are about to be written: what their search in the in-memory tree will read is asked for
** together. A search alone waits at each level for one line of memory after the other; of sixteen
** side by side the waits overlap.
**
** Nothing is changed, and nothing depends on it: a key that is hard to follow is left.
*/
#include "extras.h"

#ifdef LSM_TREE_SOON

/* More would push each other out of the CPU's first cache. */
#define EXPECTED 16

typedef struct ExpectedKey ExpectedKey;
struct ExpectedKey {
  u8 *aKey;
  int nKey;
  u32 iNode;                      /* Where its search is, or 0 if it is over */
};

/*
** The node's child that the search for this key goes on with: 0 if the node has the key, or a key of
** it doesn't lie in one piece.
*/
static u32 expectChild(lsm_db *db, TreeNode *pNode, ExpectedKey *p){
  int iKey = 1;
  int res = 0;
  int i;
  for(i=0; i<2; i++){
    const u32 iPtr = pNode->aiKeyPtr[iKey];
    TreeKey *pKey;
    if( iPtr==0 ) break;
    pKey = (TreeKey *)treeShmptrUnsafe(db, iPtr);
    if( (pKey->flags & LSM_CONTIGUOUS)==0 ) return 0;
    res = treeKeycmp((void *)&pKey[1], pKey->nKey, p->aKey, p->nKey);
    if( res==0 ) return 0;
    if( i==0 ) iKey = (res>0 ? 0 : 2);
  }
  if( i==1 ) iKey = 1;
  return getChildPtr(pNode, db->treehdr.root.iTransId, iKey + (res<0));
}

#endif

void lsmlite_expect(lsm_db *db, const lsmlite_record *aRecord, int nRecord){
#ifdef LSM_TREE_SOON
  const TreeRoot *pRoot = &db->treehdr.root;
  ExpectedKey aKey[EXPECTED];
  u32 iLevel;
  int i;

  if( db->nTransOpen==0 ) return;
#ifdef LSM_TREE_AT_END
  /* At the end of the tree there is nothing to wait for. */
  if( db->bTreeAtEnd ) return;
#endif
  if( nRecord>EXPECTED ) nRecord = EXPECTED;
  for(i=0; i<nRecord; i++){
    aKey[i].aKey = (u8 *)aRecord[i].pKey;
    aKey[i].nKey = aRecord[i].nKey;
    aKey[i].iNode = pRoot->iRoot;
  }
  for(iLevel=1; iLevel<=pRoot->nHeight; iLevel++){
    for(i=0; i<nRecord; i++){
      TreeNode *pNode;
      if( aKey[i].iNode==0 ) continue;
      pNode = (TreeNode *)treeShmptrUnsafe(db, aKey[i].iNode);
      treeNodeSoon(db, pNode, 0);
    }
    if( iLevel==pRoot->nHeight ) break;
    for(i=0; i<nRecord; i++){
      ExpectedKey *p = &aKey[i];
      if( p->iNode==0 ) continue;
      p->iNode = expectChild(db, (TreeNode *)treeShmptrUnsafe(db, p->iNode), p);
      treeSoon(db, p->iNode);
    }
  }
#endif
}
