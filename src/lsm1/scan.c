/*
** Scans: the records that a cursor comes to next, as many as can be shown without moving it. A step
** of a cursor copies the key, compares it with where every other run and tree stands, and looks for
** range deletes; the records of one page, as long as nothing else comes between, need none of that.
**
** What is unusual (deletes, separators, records that reach over the end of the page) is left to the
** step.
*/
#include "extras.h"

#ifdef LSM_READS_IN_PLACE

/* The run that the cursor is on, if what follows there may be shown, or NULL. */
static SegmentPtr *scanRun(MultiCursor *p, int iDir){
  const int iPtr = (p->aTree ? p->aTree[1] : 0) - CURSOR_DATA_SEGMENT;
  SegmentPtr *pPtr;
  if( iPtr<0 || iPtr>=p->nPtr || (p->flags & CURSOR_SEEK_EQ) || p->pPrevMergePtr ) return 0;
  if( (p->flags & (iDir>0 ? CURSOR_NEXT_OK : CURSOR_PREV_OK))==0 ) return 0;
  pPtr = &p->aPtr[iPtr];
  if( pPtr->pPg==0 || pPtr->pKey==0 || (pPtr->flags & SEGMENT_BTREE_FLAG) ) return 0;
  /* Backwards, each step into a right-hand run compares its key with the split key. */
  if( iDir<0 && pPtr->pSeg!=&pPtr->pLevel->lhs ) return 0;
  return pPtr;
}

/*
** The first key that any other run or tree has in this direction: what comes before it is the
** run's own. No range delete of a newer one covers it: such a range would end at this key, and the
** record that the cursor is on would be in it, too. 0 if that can't be told.
*/
static int scanLimit(MultiCursor *p, SegmentPtr *pPtr, int iDir, LookupCell *pLimit){
  const int iOwn = CURSOR_DATA_SEGMENT + (int)(pPtr - p->aPtr);
  int i;
  pLimit->aKey = 0;
  for(i=0; i<CURSOR_DATA_SEGMENT+p->nPtr; i++){
    void *pKey; int nKey; int eType;
    if( i==iOwn ) continue;
    multiCursorGetKey(p, i, &eType, &pKey, &nKey);
    if( pKey==0 ) continue;
    if( rtTopic(eType) ){
      /* Entries of the free list come after all records. */
      if( iDir>0 ) continue;
      return 0;
    }
    if( pLimit->aKey==0
     || iDir * p->pDb->xCmp(pKey, nKey, pLimit->aKey, pLimit->nKey)<0
    ){
      pLimit->aKey = (u8 *)pKey;
      pLimit->nKey = nKey;
    }
  }
  return 1;
}

/* So many cells further on are asked for from memory, and so many bytes of the page behind. */
#define SCAN_CELLS_SOON 6
#define SCAN_BYTES_SOON 768
#define SCAN_LINE 64

/* The page that most likely comes next, which is the one beside this one in the mapping, or NULL. */
static const u8 *scanNextPage(FileSystem *pFS, LsmPgno iPg, int iDir){
  const i64 iOff = (i64)(iPg-1+iDir) * pFS->nPagesize;
  if( fsMmapPage(pFS, iPg)==0 || iOff<0 || iOff+pFS->nPagesize>pFS->nMap ) return 0;
  return &((const u8 *)pFS->pMap)[iOff];
}
#endif

int lsmlite_csr_ahead(lsm_cursor *pCsr, int iDir, lsmlite_record *aOut, int nMax){
  int n = 0;
#ifdef LSM_READS_IN_PLACE
  MultiCursor *p = (MultiCursor *)pCsr;
  SegmentPtr *pPtr = scanRun(p, iDir);
  LookupCell limit;
  LookupPage page;
  const u8 *aNext;
  int iCell;

  if( pPtr==0 || scanLimit(p, pPtr, iDir, &limit)==0 ) return 0;
  page.aData = fsPageData(pPtr->pPg, &page.nData);
  page.nRec = pageGetNRec(page.aData, page.nData);
  page.iEnd = SEGMENT_EOF(page.nData, page.nRec);
  if( page.nRec!=pPtr->nCell || page.iEnd<0 ) return 0;
  /*
  ** The processor looks no further than to the end of a page. What a scan reads first in the next one
  ** is the end, which says where cells are, and the cells on its side. (This isn't a function: one
  ** that only asks for memory is taken for one without effect.)
  */
  if( nMax>=(iDir>0 ? page.nRec-pPtr->iCell : pPtr->iCell)
   && (aNext = scanNextPage(p->pDb->pFS, pPtr->pPg->iPg, iDir))
  ){
    const int nSoon = LSM_MIN(SCAN_BYTES_SOON, page.nData - 2*SCAN_LINE);
    const u8 *aSoon = iDir>0 ? aNext : &aNext[page.nData - 2*SCAN_LINE - nSoon];
    int iSoon;
    lookupSoon(&aNext[page.nData-1]);
    lookupSoon(&aNext[page.nData-1-SCAN_LINE]);
    for(iSoon=0; iSoon<nSoon; iSoon+=SCAN_LINE) lookupSoon(&aSoon[iSoon]);
  }

  for(iCell=pPtr->iCell+iDir; n<nMax && iCell>=0 && iCell<page.nRec; iCell+=iDir){
    const int iSoon = iCell + iDir*SCAN_CELLS_SOON;
    LookupCell cell;
    if( iSoon>=0 && iSoon<page.nRec ) lookupCellSoon(&page, iSoon);
    if( lookupCell(&page, iCell, 1, &cell)==0 ) break;
    /* LSM_CONTIGUOUS says something about the tree that the record was in. */
    if( (cell.eType & ~LSM_CONTIGUOUS)!=LSM_INSERT ) break;
    if( (i64)(cell.aKey - page.aData) + cell.nKey + cell.nVal > page.iEnd ) break;
    if( limit.aKey && iDir * p->pDb->xCmp(cell.aKey, cell.nKey, limit.aKey, limit.nKey)>=0 ) break;
    aOut[n].pKey = cell.aKey;
    aOut[n].nKey = cell.nKey;
    aOut[n].pVal = &cell.aKey[cell.nKey];
    aOut[n].nVal = cell.nVal;
    n++;
  }
#endif
  return n;
}

int lsmlite_csr_pass(lsm_cursor *pCsr, int iDir, int n){
  int rc = LSM_MISUSE;
#ifdef LSM_READS_IN_PLACE
  MultiCursor *p = (MultiCursor *)pCsr;
  SegmentPtr *pPtr = scanRun(p, iDir);
  if( pPtr && n>0 && n<=pPtr->nCell ){
    const int iCell = pPtr->iCell + iDir*n;
    if( iCell>=0 && iCell<pPtr->nCell ){
      rc = segmentPtrLoadCell(pPtr, iCell);
      multiCursorCacheKey(p, &rc);
    }
  }
#endif
  return rc;
}
