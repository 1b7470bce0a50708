/*
** Look-ups of one key, for lsmlite_get(): the same search as that of a cursor, in the pages where
** they lie. A cursor makes an object of each page, loads whole cells, and keeps places for the
** steps that may follow; here nothing follows.
**
** What is unusual (keys that reach over the end of a page or stand in a page of their own, a mapping
** that has to grow, whatever looks damaged) isn't decided here: the answer is LOOKUP_UNSURE, and the
** caller asks the cursor.
*/
#ifdef LSM_READS_IN_PLACE

#define LOOKUP_ABSENT  0          /* Not here; older runs may have it */
#define LOOKUP_FOUND   1
#define LOOKUP_DELETED 2          /* Deleted, by itself or in a range */
#define LOOKUP_UNSURE  3

/* One look-up. */
typedef struct Lookup Lookup;
struct Lookup {
  FileSystem *pFS;
  const u8 *aKey;
  int nKey;
  u64 aHead[2];                   /* The first 16 bytes of a key that is as long as that */
  i64 nPagesize;
  i64 nPerBlock;                  /* Pages in a block */
  LsmPgno iBlock1;                /* First page of the first block */
  LsmPgno nMapped;                /* Pages up to this one are read in the mapping */
};

/* A page: in the mapping, or with a reference to be released. */
typedef struct LookupPage LookupPage;
struct LookupPage {
  u8 *aData;
  int nData;
  int nRec;
  int iEnd;                       /* Where cells end */
  Page *pPg;
};

/* A cell without what it holds. */
typedef struct LookupCell LookupCell;
struct LookupCell {
  int eType;
  i64 iPtr;
  int nKey;
  int nVal;
  u8 *aKey;
};

/* Memory that is read before long. */
#ifdef __GNUC__
# define lookupSoon(p) __builtin_prefetch(p)
#else
# define lookupSoon(p)
#endif

static u64 lookupHead(const u8 *a){
  return ((u64)a[0]<<56) | ((u64)a[1]<<48) | ((u64)a[2]<<40) | ((u64)a[3]<<32)
       | ((u64)a[4]<<24) | ((u64)a[5]<<16) | ((u64)a[6]<<8)  | (u64)a[7];
}

static void lookupBegin(Lookup *p, lsm_db *db, const void *pKey, int nKey){
  FileSystem *pFS = db->pFS;
  p->pFS = pFS;
  p->aKey = (const u8 *)pKey;
  p->nKey = nKey;
  p->aHead[0] = (nKey>=8) ? lookupHead(p->aKey) : 0;
  p->aHead[1] = (nKey>=16) ? lookupHead(&p->aKey[8]) : 0;
  p->nMapped = 0;
  if( pFS->pCompress==0 && pFS->nMapLimit>0 && pFS->pMap ){
    i64 nByte = (i64)fsBlockCount(pFS) * pFS->nBlocksize;
    if( nByte>pFS->nMap ) nByte = pFS->nMap;
    if( nByte>pFS->nMapLimit ) nByte = pFS->nMapLimit;
    p->nPagesize = pFS->nPagesize;
    p->nPerBlock = pFS->nBlocksize / pFS->nPagesize;
    p->iBlock1 = fsFirstPageOnBlock(pFS, 1);
    p->nMapped = nByte / pFS->nPagesize;
  }
}

static int lookupPage(Lookup *p, Segment *pSeg, LsmPgno iPg, LookupPage *pOut){
  pOut->pPg = 0;
  if( p->nMapped ){
    LsmPgno iReal = iPg;
    i64 iWithin;
    if( pSeg->pRedirect && pSeg->pRedirect->n ) iReal = lsmFsRedirectPage(p->pFS, pSeg->pRedirect, iPg);
    if( iReal<p->iBlock1 || iReal>p->nMapped ) return LOOKUP_UNSURE;
    pOut->aData = &((u8 *)p->pFS->pMap)[p->nPagesize * (iReal-1)];
    /* The search begins with the end of the page and the cell in the middle. */
    lookupSoon(&pOut->aData[p->nPagesize-1]);
    lookupSoon(&pOut->aData[p->nPagesize-65]);
    lookupSoon(&pOut->aData[p->nPagesize/2-1]);
    lookupSoon(&pOut->aData[p->nPagesize/2-65]);
    pOut->nData = (int)p->nPagesize;
    /* A block has a power of two of them. */
    iWithin = iReal & (p->nPerBlock-1);
    if( iWithin==0 ){
      pOut->nData -= 4;
    }else if( iWithin==1 || iReal==p->iBlock1 ){
      pOut->aData += 4;
      pOut->nData -= 4;
    }
  }else{
    if( lsmFsDbPageGet(p->pFS, pSeg, iPg, &pOut->pPg)!=LSM_OK ) return LOOKUP_UNSURE;
    pOut->aData = lsmFsPageData(pOut->pPg, &pOut->nData);
  }
  pOut->nRec = lsmGetU16(&pOut->aData[SEGMENT_NRECORD_OFFSET(pOut->nData)]);
  pOut->iEnd = SEGMENT_EOF(pOut->nData, pOut->nRec);
  return pOut->iEnd<0 ? LOOKUP_UNSURE : LSM_OK;
}

/* A size as it stands in a cell; the bytes of the longest one can be read. */
static u8 *lookupVarint(u8 *a, i64 *pOut){
  if( a[0]<=240 ){
    *pOut = a[0];
    return a+1;
  }
  return a + lsmVarintGet64(a, pOut);
}

/* Makes a cell of a sorted run's page (bLeaf) or of a b-tree's readable; 0 if it is unusual. */
static int lookupCell(LookupPage *pPage, int iCell, int bLeaf, LookupCell *p){
  int iOff = lsmGetU16(&pPage->aData[SEGMENT_CELLPTR_OFFSET(pPage->nData, iCell)]);
  u8 *a = &pPage->aData[iOff];
  i64 nKey;
  i64 nVal = 0;

  if( iOff+CELL_HDR_MAX>pPage->nData ) return 0;
  p->eType = *a++;
  if( bLeaf==0 && p->eType==0 ) return 0;
  a = lookupVarint(a, &p->iPtr);
  a = lookupVarint(a, &nKey);
  if( bLeaf && rtIsWrite(p->eType) ) a = lookupVarint(a, &nVal);
  if( nKey<0 || nKey>pPage->iEnd - (a - pPage->aData) ) return 0;
  if( nVal<0 || nVal>0x7FFFFFFF ) return 0;
  p->nKey = (int)nKey;
  p->nVal = (int)nVal;
  p->aKey = a;
  return 1;
}

/* Like memcmp(): the cell's key and the one that is looked for. */
static int lookupCompare(Lookup *p, LookupCell *pCell){
  int nMin = LSM_MIN(p->nKey, pCell->nKey);
  int nSame = 0;
  int res = 0;
  if( rtTopic(pCell->eType) ) return +1;
  for(; nSame<2 && nMin>=8*(nSame+1); nSame++){
    u64 iHead = lookupHead(&pCell->aKey[8*nSame]);
    if( iHead!=p->aHead[nSame] ) return iHead<p->aHead[nSame] ? -1 : +1;
  }
  if( nMin>8*nSame ) res = memcmp(&pCell->aKey[8*nSame], &p->aKey[8*nSame], nMin-8*nSame);
  return res ? res : pCell->nKey - p->nKey;
}

/* A cell that may be read before long; its number is that of a cell. */
static void lookupCellSoon(LookupPage *pPage, int iCell){
  int iOff = lsmGetU16(&pPage->aData[SEGMENT_CELLPTR_OFFSET(pPage->nData, iCell)]);
  lookupSoon(&pPage->aData[LSM_MIN(iOff, pPage->nData-1)]);
}

/*
** Down the b-tree; *piPg becomes the page of the run where the key is if it is there. It comes as
** the pointer of the run above, for a run without a b-tree: then it is this page, or the first, as
** there is no other with keys.
*/
static int lookupLeaf(Lookup *p, Segment *pSeg, LsmPgno *piPg, LookupPage *pPage){
  LsmPgno iPg = pSeg->iRoot;
  int nDepth;

  if( iPg==0 ) iPg = (*piPg==0 || pSeg->nSize==1) ? pSeg->iFirst : *piPg;
  for(nDepth=0; nDepth<=BTREE_DEPTH_MAX; nDepth++){
    int iMin = 0;
    int iMax;
    *piPg = iPg;
    if( lookupPage(p, pSeg, iPg, pPage) ) return LOOKUP_UNSURE;
    if( (pageGetFlags(pPage->aData, pPage->nData) & SEGMENT_BTREE_FLAG)==0 ) return LSM_OK;

    iPg = pageGetPtr(pPage->aData, pPage->nData);
    iMax = pPage->nRec-1;
    while( iMax>=iMin ){
      int iTry = (iMin+iMax)/2;
      LookupCell cell;
      if( lookupCell(pPage, iTry, 0, &cell)==0 ) return LOOKUP_UNSURE;
      if( lookupCompare(p, &cell)>0 ){
        iPg = cell.iPtr;
        iMax = iTry-1;
      }else{
        iMin = iTry+1;
      }
    }
    lsmFsPageRelease(pPage->pPg);
    pPage->pPg = 0;
  }
  return LOOKUP_UNSURE;
}

/*
** Looks for the key in one run. If it is there, *ppVal and *pnVal become the value, which stays as
** long as pPtr has its page, or as the mapping. *piPtr comes as the pointer from the run above, and
** becomes the one into the next run.
*/
static int lookupInRun(
  Lookup *p,
  SegmentPtr *pPtr,
  LsmPgno *piPtr,
  const void **ppVal, int *pnVal
){
  LookupPage page = {0, 0, 0, 0, 0};
  LookupCell cell;
  LsmPgno iPg = *piPtr;
  int rc = lookupLeaf(p, pPtr->pSeg, &iPg, &page);

  if( rc==LSM_OK && (pageGetFlags(page.aData, page.nData) & PGFTR_SKIP_NEXT_FLAG) ){
    rc = LOOKUP_UNSURE;
  }
  if( rc==LSM_OK ) *piPtr = pageGetPtr(page.aData, page.nData);
  if( rc==LSM_OK && page.nRec>0 ){
    const LsmPgno iBase = *piPtr;
    int iMin = 0;
    int iMax = page.nRec-1;
    int iTry;
    int res;
    /* Ends on the key's neighbour on one side, either of which knows of a deleted range. */
    while( 1 ){
      iTry = (iMin+iMax)/2;
      lookupCellSoon(&page, (iMin+iTry)/2);
      lookupCellSoon(&page, (iTry+iMax+1)/2);
      if( lookupCell(&page, iTry, 1, &cell)==0 ){
        rc = LOOKUP_UNSURE;
        break;
      }
      res = lookupCompare(p, &cell);
      if( res<=0 ) *piPtr = PTR_ADD(iBase, cell.iPtr);
      if( res==0 || iMin==iMax ) break;
      if( res>0 ){
        iMax = LSM_MAX(iTry-1, iMin);
      }else{
        iMin = iTry+1;
      }
    }
    if( rc!=LSM_OK ){
      /* As it is. */
    }else if( (res<0 && (cell.eType & LSM_START_DELETE))
     || (res>0 && (cell.eType & LSM_END_DELETE))
     || (res==0 && (cell.eType & LSM_POINT_DELETE))
    ){
      rc = LOOKUP_DELETED;
    }else if( res==0 && rtIsWrite(cell.eType) ){
      u8 *aVal = &cell.aKey[cell.nKey];
      if( cell.nVal<=page.iEnd - (aVal - page.aData) ){
        *ppVal = aVal;
        *pnVal = cell.nVal;
        if( page.pPg ){
          segmentPtrSetPage(pPtr, page.pPg);
          page.pPg = 0;
        }
        rc = LOOKUP_FOUND;
      }else{
        /* It goes on in the next pages: together they are a copy. */
        rc = segmentPtrLoadPage(p->pFS, pPtr, iPg);
        if( rc==LSM_OK ) rc = segmentPtrLoadCell(pPtr, iTry);
        *ppVal = pPtr->pVal;
        *pnVal = pPtr->nVal;
        rc = (rc==LSM_OK) ? LOOKUP_FOUND : LOOKUP_UNSURE;
      }
    }
  }
  lsmFsPageRelease(page.pPg);
  return rc;
}

/* Looks for the key in all runs of the cursor's snapshot, the newest first. */
static int lookupInRuns(
  MultiCursor *pCsr,
  u64 iHash,                      /* For the filters */
  const void *pKey, int nKey,
  const void **ppVal, int *pnVal
){
  Lookup lookup;
  LsmPgno iPg = 0;                /* Pointer from the run above */
  int iPtr = 0;
  int rc = LOOKUP_ABSENT;

  lookupBegin(&lookup, pCsr->pDb, pKey, nKey);
  while( iPtr<pCsr->nPtr && rc==LOOKUP_ABSENT ){
    SegmentPtr *aPtr = &pCsr->aPtr[iPtr];
    Level *pLvl = aPtr->pLevel;
    int i = 0;
    int iLast = 0;
    if( pLvl->nRight ){
      /* Half merged: the run that is being written has all keys before the split key. */
      int res = sortedKeyCompare(pCsr->pDb->xCmp,
          0, (void *)pKey, nKey, pLvl->iSplitTopic, pLvl->pSplitKey, pLvl->nSplitKey
      );
      if( res>=0 ){
        i = 1;
        iLast = pLvl->nRight;
      }else{
        iPg = 0;
      }
    }
    for(; i<=iLast && rc==LOOKUP_ABSENT; i++){
      const int bLast = (i==iLast && pLvl->pNext==0);
      if( filterSkips(pCsr->pDb, aPtr[i].pSeg, bLast, iHash) ) continue;
      rc = lookupInRun(&lookup, &aPtr[i], &iPg, ppVal, pnVal);
      if( rc==LOOKUP_ABSENT ) filterVain(pCsr->pDb, pLvl, aPtr[i].pSeg);
      if( rc==LOOKUP_FOUND ) filterFound(pCsr->pDb);
    }
    iPtr += 1 + pLvl->nRight;
  }
  return rc;
}

/*
** Looks for the key in the trees in memory, then in the runs, with a cursor that has just been
** opened. LOOKUP_UNSURE: nothing is known yet.
*/
static int lookupKey(
  MultiCursor *pCsr,
  const void *pKey, int nKey,
  const void **ppVal, int *pnVal
){
  const u64 iHash = filterHash(pKey, nKey);
  int i;

  filterSoon(pCsr, iHash);
  for(i=filterTreesMiss(pCsr->pDb, iHash) ? 2 : 0; i<2; i++){
    int bStop = 0;
    int rc = treeCursorSeek(
        pCsr, pCsr->apTreeCsr[i], (void *)pKey, nKey, LSM_SEEK_EQ, &bStop
    );
    if( rc!=LSM_OK ) return LOOKUP_UNSURE;
    if( bStop ){
      if( (pCsr->flags & CURSOR_SEEK_EQ)==0 ) return LOOKUP_DELETED;
      *ppVal = pCsr->pInPlace;
      *pnVal = pCsr->nInPlace;
      return LOOKUP_FOUND;
    }
  }
  return lookupInRuns(pCsr, iHash, pKey, nKey, ppVal, pnVal);
}
#endif
