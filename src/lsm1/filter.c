/*
** Filters for missing keys: a look-up of lsmlite_get() passes over runs, and trees in memory,
** that can't hold its key. Patch 410-filters calls what is here from within the engine. Nothing of
** it reaches the file, and whatever can't be allocated is simply not there.
**
** A filter is a blocked Bloom filter: a key stands for one block of 64 bytes and six bits in it.
** It holds the keys of all records of one run, deletes included; free-list entries and pointers
** alone don't count. A filter that says no is right. A run with a range delete is always searched.
**
** Which filter belongs to which run of a snapshot stands in a FilterSet, made when the snapshot is
** published, and found by whoever loads that snapshot by its id and checksums. Page numbers come
** back, so they are no identity; snapshots of one lineage don't. lsmCheckpointRecover() begins a
** new lineage and forgets all sets. Segment.pFilter is borrowed from the set, or from the list of
** new filters, of the Snapshot that the Segment is in.
**
** A run grows while it is written, over many snapshots if it is the result of a merge, and its
** filter with it: for each of them it holds at least the keys that it must. What a failed worker
** has added stays as well. Runs that were there before, or came from elsewhere, get their filter
** from look-ups that search them in vain: each reads a few pages on behalf of the filter.
*/
#include "extras.h"

#ifdef LSM_FILTERS

#define FILTER_BITS    10         /* Bits per key */
#define FILTER_PROBES  6          /* Bits that a key sets */
#define FILTER_WORDS   16         /* 32-bit words of a block */
#define FILTER_LEAST   4          /* With less room than for so many bits per key: no filter */
#define FILTER_SETS    4          /* Newest sets, found by those who come */
#define FILTER_VAIN    256        /* Searches in vain before a filter is made, at most */
#define FILTER_SAMPLE  32         /* Pages from which its size is estimated */
#define FILTER_STEP    2          /* Pages that one search in vain reads for it */
#define FILTER_TRUST   32         /* Look-ups that all find their key: the next one may, too */
#define FILTER_TREES   3          /* Generations of trees: see FilterStore */
#define FILTER_TREE    (256*1024) /* A smaller tree has none until it is closed, at first */

/* What several threads use without a lock. */
#define filterLoad(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define filterStore(p, x) __atomic_store_n((p), (x), __ATOMIC_RELEASE)

typedef struct Filter Filter;
typedef struct FilterSet FilterSet;
typedef struct FilterBits FilterBits;
typedef struct FilterDraft FilterDraft;
typedef struct FilterStore FilterStore;
typedef struct FilterTree FilterTree;

struct FilterBits {
  u32 nBlock;
  i64 nByte;                      /* Size of the allocation */
  u32 *aWord;                     /* At the beginning of a cache line */
};

/* A filter that look-ups are making. Whoever sets bBusy may touch the rest. */
struct FilterDraft {
  int bBusy;
  int bFailed;                    /* Nobody tries again */
  int nVain;                      /* Searches in vain */
  int bCounting;                  /* The first few pages tell how many keys there are */
  int nPage;                      /* Pages counted */
  i64 nAdded;                     /* Pages whose keys were added, b-tree pages included */
  i64 nCell;                      /* Keys on them */
  LsmPgno iNext;                  /* Next page to read, or 0 to begin */
  u32 iRedirect;                  /* Which blocks were moved, as a checksum */
  PageChain chain;
  FilterBits *pBits;
};

struct Filter {
  FilterStore *pStore;
  int nRef;                       /* Sets and lists of new filters; by the store's mutex */
  Filter *pNewNext;               /* Next in Snapshot.pNewFilter */
  FilterBits *pBits;              /* NULL: nothing is known of the run */
  int bRange;                     /* True if it holds range deletes */
  i64 nKey;                       /* Keys added; by the WORKER lock */
  FilterDraft draft;
};

/* The filters of a snapshot's runs, in the order of its levels, left-hand runs first. */
struct FilterSet {
  FilterStore *pStore;
  FilterSet *pNext;
  int nRef;                       /* By the store's mutex */
  i64 iId;                        /* The snapshot's id */
  u32 aCksum[2];                  /* and checksums */
  int nRun;
  Filter *apFilter[1];
};

/* The filter of one generation of the tree in memory. */
#define FILTER_TREE_EMPTY 0       /* No key was written */
#define FILTER_TREE_OFF   1       /* Nothing is known */
#define FILTER_TREE_ON    2
struct FilterTree {
  int eState;
  int bRange;
  int nKey;
  FilterBits *pBits;              /* Once set, it stays until the store goes */
};

/*
** Belongs to a Database. The trees in memory are filtered by the last three generations: the live
** tree, the one that is being flushed, and the one before, which the published header shows until
** the transaction ends that closed its successor. A reader takes iTree before it looks for the
** newest header, and looks again after it asked the three filters: if iTree is the same, they
** held the keys of both trees of that header. Only the writer changes them.
*/
struct FilterStore {
  lsm_env *pEnv;
  lsm_mutex *pMutex;
  int nRef;                       /* The Database, sets and filters */
  i64 nMax;                       /* Bytes that the filters may take */
  i64 nByte;                      /* Bytes that they take */
  FilterSet *pSet;                /* FILTER_SETS of them at most, the newest first */
  u32 iTree;                      /* Generation of the live tree */
  int bTreeFailed;                /* It goes without a filter; the writer's */
  FilterTree aTree[FILTER_TREES];
};

static u64 filterHash(const void *pKey, int nKey){
  const u8 *a = (const u8 *)pKey;
  u64 h = (u64)nKey * 0x9E3779B97F4A7C15ULL + 0x632BE59BD9B4E019ULL;
  u64 w;
  while( nKey>=8 ){
    memcpy(&w, a, 8);
    h = (h ^ w) * 0xD6E8FEB86659FD93ULL;
    h ^= h>>32;
    a += 8;
    nKey -= 8;
  }
  if( nKey>0 ){
    w = 0;
    memcpy(&w, a, nKey);
    h = (h ^ w) * 0xD6E8FEB86659FD93ULL;
    h ^= h>>32;
  }
  h *= 0xD6E8FEB86659FD93ULL;
  h ^= h>>32;
  return h;
}

static u32 *filterBlock(FilterBits *p, u64 h){
  return &p->aWord[(((h>>32) * p->nBlock) >> 32) * FILTER_WORDS];
}

static int filterHas(FilterBits *p, u64 h){
  u32 *a = filterBlock(p, h);
  u64 g = h * 0x9E3779B97F4A7C15ULL;
  int i;
  for(i=0; i<FILTER_PROBES; i++){
    const u32 iBit = (u32)(g>>55);
    if( 0==(filterLoad(&a[iBit>>5]) & ((u32)1 << (iBit & 31))) ) return 0;
    g = g<<9;
  }
  return 1;
}

/* One thread at a time adds to a filter; others may ask it meanwhile. */
static void filterAddHash(FilterBits *p, u64 h){
  u32 *a = filterBlock(p, h);
  u64 g = h * 0x9E3779B97F4A7C15ULL;
  int i;
  for(i=0; i<FILTER_PROBES; i++){
    const u32 iBit = (u32)(g>>55);
    u32 *pWord = &a[iBit>>5];
    const u32 w = *pWord | ((u32)1 << (iBit & 31));
    if( w!=*pWord ) filterStore(pWord, w);
    g = g<<9;
  }
}

/* Room for nKey keys, less of it if there is less, or NULL. */
static FilterBits *filterBitsNew(FilterStore *p, i64 nKey){
  FilterBits *pRet = 0;
  i64 nBlock = nKey / (FILTER_WORDS*32/FILTER_BITS) + 1;
  i64 nLeast = nKey / (FILTER_WORDS*32/FILTER_LEAST) + 1;
  const i64 nExtra = sizeof(FilterBits) + 64;
  i64 nByte = 0;

  lsmMutexEnter(p->pEnv, p->pMutex);
  nBlock = LSM_MIN(nBlock, LSM_MIN((p->nMax - p->nByte - nExtra) / 64, 0x7FFFFFFF / 64 - 2));
  if( nBlock>=nLeast ){
    nByte = nBlock*64 + nExtra;
    filterStore(&p->nByte, p->nByte + nByte);
  }
  lsmMutexLeave(p->pEnv, p->pMutex);

  if( nByte>0 ){
    pRet = (FilterBits *)lsmMallocZero(p->pEnv, (size_t)nByte);
    if( pRet ){
      const size_t iAddr = (size_t)&pRet[1];
      pRet->nBlock = (u32)nBlock;
      pRet->nByte = nByte;
      pRet->aWord = (u32 *)((u8 *)&pRet[1] + ((64 - (iAddr & 63)) & 63));
    }else{
      lsmMutexEnter(p->pEnv, p->pMutex);
      filterStore(&p->nByte, p->nByte - nByte);
      lsmMutexLeave(p->pEnv, p->pMutex);
    }
  }
  return pRet;
}

/* With the mutex. */
static void filterBitsFree(FilterStore *p, FilterBits *pBits){
  if( pBits ){
    filterStore(&p->nByte, p->nByte - pBits->nByte);
    lsmFree(p->pEnv, pBits);
  }
}

/* With the mutex; the caller leaves it with filterLeave(). */
static void filterRelease(Filter *pFilter){
  if( pFilter && --pFilter->nRef==0 ){
    FilterStore *p = pFilter->pStore;
    filterBitsFree(p, pFilter->pBits);
    filterBitsFree(p, pFilter->draft.pBits);
    lsmFree(p->pEnv, pFilter);
    p->nRef--;
  }
}
static void filterSetRelease(FilterSet *pSet){
  if( pSet && --pSet->nRef==0 ){
    FilterStore *p = pSet->pStore;
    int i;
    for(i=0; i<pSet->nRun; i++) filterRelease(pSet->apFilter[i]);
    lsmFree(p->pEnv, pSet);
    p->nRef--;
  }
}
static void filterForgetSets(FilterStore *p){
  while( p->pSet ){
    FilterSet *pSet = p->pSet;
    p->pSet = pSet->pNext;
    filterSetRelease(pSet);
  }
}

/* Leaves the mutex, and frees the store if nobody has it any more. */
static void filterLeave(FilterStore *p){
  const int bFree = (p->nRef==0);
  lsmMutexLeave(p->pEnv, p->pMutex);
  if( bFree ){
    int i;
    for(i=0; i<FILTER_TREES; i++) lsmFree(p->pEnv, p->aTree[i].pBits);
    lsmMutexDel(p->pEnv, p->pMutex);
    lsmFree(p->pEnv, p);
  }
}

/* With the mutex. */
static Filter *filterNew(FilterStore *p){
  Filter *pRet = (Filter *)lsmMallocZero(p->pEnv, sizeof(Filter));
  if( pRet ){
    pRet->pStore = p;
    pRet->nRef = 1;
    p->nRef++;
  }
  return pRet;
}

/* Makes the store of a new Database, unless several processes may write to the file. */
static void filterStoreNew(lsm_db *pDb, Database *pDatabase){
  FilterStore *p;
  if( pDb->nFilterKib<=0 || pDatabase->bMultiProc ) return;
  p = (FilterStore *)lsmMallocZero(pDb->pEnv, sizeof(FilterStore));
  if( p==0 ) return;
  if( lsmMutexNew(pDb->pEnv, &p->pMutex)!=LSM_OK ){
    lsmFree(pDb->pEnv, p);
    return;
  }
  p->pEnv = pDb->pEnv;
  p->nRef = 1;
  p->nMax = (i64)pDb->nFilterKib * 1024;
  pDatabase->pFilterStore = p;
}

/* The Database goes. */
static void filterStoreFree(FilterStore *p){
  if( p ){
    lsmMutexEnter(p->pEnv, p->pMutex);
    filterForgetSets(p);
    p->nRef--;
    filterLeave(p);
  }
}

/* The store, if the connection sees what is written in this process. */
static FilterStore *filterStoreOf(lsm_db *pDb){
  return (pDb->pDatabase && pDb->bRoTrans==0) ? pDb->pDatabase->pFilterStore : 0;
}

/* Another lineage of snapshots begins. */
static void filterForget(lsm_db *pDb){
  FilterStore *p = filterStoreOf(pDb);
  if( p ){
    lsmMutexEnter(p->pEnv, p->pMutex);
    filterForgetSets(p);
    filterLeave(p);
  }
}

/* Step through the runs of a snapshot in the order of a FilterSet. */
static Segment *filterNextRun(Level **ppLevel, int *piRun){
  while( *ppLevel ){
    Level *pLevel = *ppLevel;
    const int iRun = (*piRun)++;
    if( iRun==0 ) return &pLevel->lhs;
    if( iRun<=pLevel->nRight ) return &pLevel->aRhs[iRun-1];
    *ppLevel = pLevel->pNext;
    *piRun = 0;
  }
  return 0;
}

/*
** With the mutex. Makes the set of a snapshot, and puts it in front of the others. A run that is
** written and nothing is known of gets a filter without bits, for look-ups to fill.
*/
static FilterSet *filterSetNew(FilterStore *p, Snapshot *pSnap, const u32 *aCkpt){
  const u32 nCkpt = aCkpt[CKPT_HDR_NCKPT];
  FilterSet *pSet;
  FilterSet **pp;
  Level *pLevel = pSnap->pLevel;
  Segment *pSeg;
  int iRun = 0;
  int nRun = 0;
  int i;

  while( filterNextRun(&pLevel, &iRun) ) nRun++;
  pSet = (FilterSet *)lsmMallocZero(p->pEnv, sizeof(FilterSet) + nRun*sizeof(Filter *));
  if( pSet==0 ) return 0;
  pSet->pStore = p;
  p->nRef++;
  pSet->nRef = 1;
  pSet->iId = lsmCheckpointId((u32 *)aCkpt, 0);
  memcpy(pSet->aCksum, &aCkpt[nCkpt-2], sizeof(pSet->aCksum));
  pSet->nRun = nRun;

  pLevel = pSnap->pLevel;
  iRun = 0;
  for(i=0; (pSeg = filterNextRun(&pLevel, &iRun)); i++){
    if( pSeg->pFilter ){
      pSet->apFilter[i] = pSeg->pFilter;
      pSeg->pFilter->nRef++;
    }else if( pLevel->nRight==0 && (pLevel->flags & LEVEL_FREELIST_ONLY)==0 ){
      pSet->apFilter[i] = filterNew(p);
    }
  }

  pSet->pNext = p->pSet;
  p->pSet = pSet;
  for(i=0, pp=&p->pSet; *pp; i++){
    FilterSet *pOld = *pp;
    if( i<FILTER_SETS ){
      pp = &pOld->pNext;
    }else{
      *pp = pOld->pNext;
      filterSetRelease(pOld);
    }
  }
  return pSet;
}

/* The worker's snapshot is about to be published as aCkpt. */
static void filterPublish(lsm_db *pDb, const u32 *aCkpt){
  FilterStore *p = filterStoreOf(pDb);
  if( p ){
    lsmMutexEnter(p->pEnv, p->pMutex);
    filterSetNew(p, pDb->pWorker, aCkpt);
    filterLeave(p);
  }
}

/*
** Of older files, a run may have lost its b-tree to the run above it, and only the pointer that is
** found there leads into it: that one can't be passed over.
*/
static int filterNeedsLink(Segment *pSeg){
  return pSeg->iRoot==0 && pSeg->nSize>1;
}
static void filterFindLinks(Level *pLevel){
  Level *pNext = pLevel->pNext;
  int bLink = pNext && filterNeedsLink(pNext->nRight ? &pNext->aRhs[0] : &pNext->lhs);
  int i;
  pLevel->lhs.bLinked = bLink;
  for(i=pLevel->nRight-1; i>=0; i--){
    pLevel->aRhs[i].bLinked = bLink;
    bLink = filterNeedsLink(&pLevel->aRhs[i]);
  }
}

/* Gives the runs of a snapshot, which was just made of aCkpt, their filters. */
static void filterAttach(lsm_db *pDb, const u32 *aCkpt, Snapshot *pSnap){
  FilterStore *p = filterStoreOf(pDb);
  const u32 nCkpt = aCkpt[CKPT_HDR_NCKPT];
  FilterSet *pSet;

  if( p==0 ) return;
  lsmMutexEnter(p->pEnv, p->pMutex);
  for(pSet=p->pSet; pSet; pSet=pSet->pNext){
    if( pSet->iId==pSnap->iId && 0==memcmp(pSet->aCksum, &aCkpt[nCkpt-2], 8) ) break;
  }
  if( pSet==0 && (p->pSet==0 || p->pSet->iId<pSnap->iId) ){
    pSet = filterSetNew(p, pSnap, aCkpt);
  }
  if( pSet ){
    Level *pLevel = pSnap->pLevel;
    Segment *pSeg;
    int iRun = 0;
    int i;
    for(i=0; i<pSet->nRun && (pSeg = filterNextRun(&pLevel, &iRun)); i++){
      pSeg->pFilter = pSet->apFilter[i];
    }
    for(pLevel=pSnap->pLevel; pLevel; pLevel=pLevel->pNext){
      filterFindLinks(pLevel);
    }
    pSet->nRef++;
    pSnap->pFilterSet = pSet;
  }
  filterLeave(p);
}

/* The snapshot goes, and with it every Segment that has borrowed from it. */
static void filterDetach(Snapshot *pSnap){
  FilterSet *pSet = pSnap->pFilterSet;
  Filter *pNew = pSnap->pNewFilter;
  FilterStore *p = pSet ? pSet->pStore : pNew ? pNew->pStore : 0;
  if( p ){
    lsmMutexEnter(p->pEnv, p->pMutex);
    filterSetRelease(pSet);
    while( pNew ){
      Filter *pNext = pNew->pNewNext;
      filterRelease(pNew);
      pNew = pNext;
    }
    filterLeave(p);
  }
}

/*
** How many keys a run has at most, about; -1 if that can't be told. The pointer is on its first
** page, or on one that stands for the rest.
*/
static i64 filterKeysOf(FileSystem *pFS, SegmentPtr *pPtr){
  Filter *pFilter = pPtr->pSeg->pFilter;
  if( pFilter && filterLoad(&pFilter->pBits) ) return pFilter->nKey;
  if( pPtr->pPg==0 ) return 0;
  if( pFS->pCompress ) return -1;
  return LSM_MIN((i64)pPtr->pSeg->nSize, (i64)1<<31) * LSM_MAX(pPtr->nCell, 1);
}

/* How many keys a tree in memory has at most, about. */
static i64 filterKeysOfTree(FilterStore *p, int bOld, u32 nByte){
  const u32 iTree = filterLoad(&p->iTree) - (bOld ? 1 : 0);
  FilterTree *pTree = &p->aTree[iTree % FILTER_TREES];
  if( filterLoad(&pTree->eState)==FILTER_TREE_ON ) return filterLoad(&pTree->nKey);
  return nByte/48 + 1;
}

/* A run is begun. */
static void filterBegin(MergeWorker *pMW){
  lsm_db *pDb = pMW->pDb;
  FilterStore *p = filterStoreOf(pDb);
  MultiCursor *pCsr = pMW->pCsr;
  FilterBits *pBits;
  Filter *pFilter;
  i64 nKey = 0;
  int i;

  pMW->pLevel->lhs.pFilter = 0;
  if( p==0 || pDb->xIngest ) return;
  if( pCsr->apTreeCsr[0] ) nKey += filterKeysOfTree(p, 0, pDb->treehdr.root.nByte);
  if( pCsr->apTreeCsr[1] ) nKey += filterKeysOfTree(p, 1, pDb->treehdr.oldroot.nByte);
  for(i=0; i<pCsr->nPtr; i++){
    const i64 n = filterKeysOf(pDb->pFS, &pCsr->aPtr[i]);
    if( n<0 ) return;
    nKey += n;
  }

  pBits = filterBitsNew(p, nKey);
  if( pBits==0 ) return;
  lsmMutexEnter(p->pEnv, p->pMutex);
  pFilter = filterNew(p);
  if( pFilter ){
    pFilter->pBits = pBits;
    pFilter->pNewNext = pDb->pWorker->pNewFilter;
    pDb->pWorker->pNewFilter = pFilter;
    pMW->pLevel->lhs.pFilter = pFilter;
  }else{
    filterBitsFree(p, pBits);
  }
  filterLeave(p);
}

/* True if a look-up can find such an entry, or be led by it. */
#define filterCounts(eType) (rtTopic(eType)==0 && ((eType) & ~LSM_SEPARATOR)!=0)
#define filterIsRange(eType) (((eType) & (LSM_START_DELETE|LSM_END_DELETE))!=0)

/* An entry was written to the run. */
static void filterAdd(MergeWorker *pMW, int eType, const void *pKey, int nKey){
  Filter *pFilter = pMW->pLevel->lhs.pFilter;
  if( pFilter && pFilter->pBits && filterCounts(eType) ){
    if( filterIsRange(eType) ) filterStore(&pFilter->bRange, 1);
    filterAddHash(pFilter->pBits, filterHash(pKey, nKey));
    pFilter->nKey++;
  }
}

/* Which blocks of a run were moved. */
static u32 filterRedirects(Segment *pSeg){
  u32 iSum = 1;
  int i;
  for(i=0; pSeg->pRedirect && i<pSeg->pRedirect->n; i++){
    iSum = iSum*31 + (u32)pSeg->pRedirect->a[i].iFrom;
    iSum = iSum*31 + (u32)pSeg->pRedirect->a[i].iTo;
  }
  return iSum;
}

/* How many pages a run has; with compression, as if it had none. */
static i64 filterPages(FileSystem *pFS, Segment *pSeg){
  return pFS->pCompress ? pSeg->nSize / pFS->nPagesize + 1 : pSeg->nSize;
}

/* Counts the keys of a page, or adds them to the draft. */
static int filterReadPage(Segment *pSeg, Page *pPg, Filter *pFilter, LsmBlob *pBlob){
  FilterDraft *p = &pFilter->draft;
  int rc = LSM_OK;
  int nData;
  u8 *aData = fsPageData(pPg, &nData);
  int nRec = pageGetNRec(aData, nData);
  int i;

  if( pageGetFlags(aData, nData) & SEGMENT_BTREE_FLAG ) return LSM_OK;
  if( p->bCounting ){
    p->nCell += nRec;
    return LSM_OK;
  }
  for(i=0; rc==LSM_OK && i<nRec; i++){
    const int eType = *pageGetCell(aData, nData, i);
    if( filterCounts(eType) ){
      int iTopic; u8 *pKey; int nKey;
      if( filterIsRange(eType) ) filterStore(&pFilter->bRange, 1);
      rc = pageGetKeyRc(pSeg, pPg, i, &iTopic, &pKey, &nKey, pBlob);
      if( rc==LSM_OK ){
        filterAddHash(p->pBits, filterHash(pKey, nKey));
        p->nCell++;
      }
      /* A key that spans pages may have made the mapping move. */
      aData = fsPageData(pPg, &nData);
    }
  }
  return rc;
}

/* Reads a few pages more for the filter of a run that nobody writes to any more. */
static void filterStep(lsm_db *pDb, Segment *pSeg, Filter *pFilter){
  FilterDraft *p = &pFilter->draft;
  FilterStore *pStore = pFilter->pStore;
  const u32 iRedirect = filterRedirects(pSeg);
  Segment plain = *pSeg;
  LsmBlob blob = {0, 0, 0};
  Page *pPg = 0;
  int bBegin = (p->iNext==0);
  int rc = LSM_OK;
  int i;

  if( p->nPage==0 && p->pBits==0 ) p->bCounting = 1;
  if( bBegin==0 && p->iRedirect!=iRedirect ){
    /* What was the next page may be elsewhere by now. What was added is right. */
    bBegin = 1;
    if( p->bCounting ) p->nPage = 0;
    p->nAdded = 0;
    p->nCell = 0;
  }
  if( bBegin ) memset(&p->chain, 0, sizeof(PageChain));
  p->iRedirect = iRedirect;
  /* The number of a page is where it is, not where it was. */
  plain.pRedirect = 0;
  if( pDb->pFS->pCompress && pSeg->pRedirect && pSeg->pRedirect->n ) rc = LSM_ERROR;

  if( rc==LSM_OK ){
    rc = lsmFsDbPageGet(
        pDb->pFS, bBegin ? pSeg : &plain, bBegin ? pSeg->iFirst : p->iNext, &pPg
    );
  }
  for(i=0; rc==LSM_OK && pPg && i<FILTER_STEP; i++){
    Page *pNext = 0;
    rc = filterReadPage(pSeg, pPg, pFilter, &blob);
    if( rc==LSM_OK ) rc = fsChainStep(&p->chain, lsmFsPageNumber(pPg));
    if( rc==LSM_OK ) rc = lsmFsDbPageNext(pSeg, pPg, 1, &pNext);
    p->nPage++;
    if( p->bCounting==0 ) p->nAdded++;
    lsmFsPageRelease(pPg);
    pPg = pNext;
    if( p->bCounting && p->nPage>=FILTER_SAMPLE ) break;
  }
  p->iNext = pPg ? lsmFsPageNumber(pPg) : 0;

  if( rc==LSM_OK && p->bCounting && (pPg==0 || p->nPage>=FILTER_SAMPLE) ){
    /* There are as many keys as so far, or as many on each page. */
    i64 nKey = p->nCell;
    if( pPg ){
      i64 nPage = pSeg->nSize;
      if( pDb->pFS->pCompress ) nPage = nPage / LSM_MAX(pPg->nCompress, 16);
      nKey = LSM_MAX(nKey, LSM_MIN(nPage, (i64)1<<31) * p->nCell / p->nPage);
    }
    p->pBits = filterBitsNew(pStore, nKey);
    if( p->pBits==0 ) rc = LSM_NOMEM;
    p->bCounting = 0;
    p->iNext = 0;
    p->nCell = 0;
  }else if( rc==LSM_OK && pPg==0 && pDb->pFS->pCompress==0 && p->nAdded!=pSeg->nSize ){
    /* A damaged link may have led past a part of the run: its keys must not be hidden. */
    rc = LSM_CORRUPT_BKPT;
  }else if( rc==LSM_OK && pPg==0 ){
    pFilter->nKey = p->nCell;
    filterStore(&pFilter->pBits, p->pBits);
    p->pBits = 0;
  }
  lsmFsPageRelease(pPg);
  sortedBlobFree(&blob);

  if( rc!=LSM_OK ){
    /* Whoever needs what can't be read will be told so. */
    filterStore(&p->bFailed, 1);
    lsmMutexEnter(pStore->pEnv, pStore->pMutex);
    filterBitsFree(pStore, p->pBits);
    p->pBits = 0;
    filterLeave(pStore);
  }
}

/* Reads a few pages on behalf of a run without a filter that was searched in vain. */
static void filterHelp(lsm_db *pDb, Level *pLevel, Filter *pFilter){
  FilterDraft *p = &pFilter->draft;
  const i64 nVain = LSM_MIN(FILTER_VAIN, filterPages(pDb->pFS, &pLevel->lhs) * 4);
  if( pLevel->nRight || filterLoad(&p->bFailed) ) return;
  if( __atomic_load_n(&p->nVain, __ATOMIC_RELAXED)<nVain ){
    __atomic_add_fetch(&p->nVain, 1, __ATOMIC_RELAXED);
    return;
  }
  if( __atomic_exchange_n(&p->bBusy, 1, __ATOMIC_ACQUIRE)==0 ){
    if( p->bFailed==0 && filterLoad(&pFilter->pBits)==0 ){
      filterStep(pDb, &pLevel->lhs, pFilter);
    }
    filterStore(&p->bBusy, 0);
  }
}

/* A run was searched in vain. */
static void filterVain(lsm_db *pDb, Level *pLevel, Segment *pSeg){
  Filter *pFilter = pSeg->pFilter;
  pDb->nFilterVain++;
  pDb->nFilterFound = 0;
  if( pFilter && filterLoad(&pFilter->pBits)==0 ) filterHelp(pDb, pLevel, pFilter);
}

/*
** True if the filter of a run says that it doesn't have the key. Whoever looks for keys that are
** there needn't ask for the oldest run (bLast), which has it if no other one does.
*/
static int filterSkips(lsm_db *pDb, Segment *pSeg, int bLast, u64 h){
  Filter *pFilter = pSeg->bLinked ? 0 : pSeg->pFilter;
  FilterBits *pBits;
  if( bLast && pDb->nFilterFound>=FILTER_TRUST ) return 0;
  pBits = pFilter ? filterLoad(&pFilter->pBits) : 0;
  if( pBits && filterLoad(&pFilter->bRange)==0 && filterHas(pBits, h)==0 ){
    pDb->nFilterSkip++;
    if( bLast ) pDb->nFilterFound = 0;
    return 1;
  }
  return 0;
}

/* A key was found. */
static void filterFound(lsm_db *pDb){
  if( pDb->nFilterFound<FILTER_TRUST ) pDb->nFilterFound++;
}

/* The filters of a cursor's runs will be asked for this key. */
static void filterSoon(MultiCursor *pCsr, u64 h){
  const int nRun = pCsr->nPtr - (pCsr->pDb->nFilterFound>=FILTER_TRUST);
  int i;
  for(i=0; i<nRun; i++){
    Filter *pFilter = pCsr->aPtr[i].pSeg->pFilter;
    FilterBits *pBits = pFilter ? filterLoad(&pFilter->pBits) : 0;
    if( pBits ) __builtin_prefetch(filterBlock(pBits, h));
  }
}

/* The live tree is new, and empty: of nothing that came before anything is left. */
static void filterTreeInit(lsm_db *pDb){
  FilterStore *p = filterStoreOf(pDb);
  if( p ){
    int i;
    filterStore(&p->iTree, p->iTree+1);
    for(i=0; i<FILTER_TREES; i++) filterStore(&p->aTree[i].eState, FILTER_TREE_EMPTY);
    p->bTreeFailed = 0;
  }
}

static int filterTreeRoom(lsm_db *pDb, FilterStore *p){
  const i64 nByte = LSM_MIN(pDb->nTreeLimit/64, LSM_MIN(p->nMax/16, 1<<20));
  int i;
  for(i=0; i<FILTER_TREES; i++){
    if( p->aTree[i].pBits==0 ){
      p->aTree[i].pBits = filterBitsNew(p, LSM_MAX(nByte, 64)*8/FILTER_BITS);
    }
    if( p->aTree[i].pBits==0 ) return LSM_NOMEM;
  }
  return LSM_OK;
}

/* Makes the filter of the live tree, from what it holds. */
static void filterTreeFill(lsm_db *pDb, FilterStore *p){
  FilterTree *pTree = &p->aTree[p->iTree % FILTER_TREES];
  TreeCursor csr;
  int rc = filterTreeRoom(pDb, p);

  treeCursorInit(pDb, 0, &csr);
  if( rc==LSM_OK ){
    u32 i;
    for(i=0; i<pTree->pBits->nBlock*FILTER_WORDS; i++) filterStore(&pTree->pBits->aWord[i], 0);
    rc = lsmTreeCursorEnd(&csr, 0);
  }
  while( rc==LSM_OK && lsmTreeCursorValid(&csr) ){
    void *pKey; int nKey; int eType;
    rc = lsmTreeCursorKey(&csr, &eType, &pKey, &nKey);
    if( rc==LSM_OK ){
      if( filterIsRange(eType) ) filterStore(&pTree->bRange, 1);
      filterAddHash(pTree->pBits, filterHash(pKey, nKey));
      filterStore(&pTree->nKey, pTree->nKey+1);
      rc = lsmTreeCursorNext(&csr);
    }
  }
  tblobFree(pDb, &csr.blob);
  if( rc==LSM_OK ){
    filterStore(&pTree->eState, FILTER_TREE_ON);
  }else{
    p->bTreeFailed = 1;
  }
}

/* The live tree is closed, and another begun. */
static void filterTreeSwap(lsm_db *pDb){
  FilterStore *p = filterStoreOf(pDb);
  if( p ){
    FilterTree *pTree = &p->aTree[p->iTree % FILTER_TREES];
    if( pTree->eState==FILTER_TREE_OFF && p->bTreeFailed==0 ) filterTreeFill(pDb, p);

    /* From here on nobody relies on the oldest of the three. */
    filterStore(&p->iTree, p->iTree+1);
    pTree = &p->aTree[p->iTree % FILTER_TREES];
    filterStore(&pTree->eState, FILTER_TREE_EMPTY);
    p->bTreeFailed = 0;
  }
}

/* An entry was added to the live tree, or that has failed. */
static void filterTreeAdd(lsm_db *pDb, int rc, int eType, const void *pKey, int nKey){
  FilterStore *p = filterStoreOf(pDb);
  FilterTree *pTree;
  int bFill = 0;
  if( p==0 ) return;
  pTree = &p->aTree[p->iTree % FILTER_TREES];

  if( pTree->eState==FILTER_TREE_EMPTY ){
    filterStore(&pTree->eState, FILTER_TREE_OFF);
    filterStore(&pTree->bRange, 0);
    filterStore(&pTree->nKey, 0);
    bFill = (pTree->pBits!=0);
  }
  if( filterIsRange(eType) ) filterStore(&pTree->bRange, 1);
  if( pTree->eState==FILTER_TREE_ON ){
    filterAddHash(pTree->pBits, filterHash(pKey, nKey));
    filterStore(&pTree->nKey, pTree->nKey+1);
  }else if( rc==LSM_OK && p->bTreeFailed==0
         && (bFill || pDb->treehdr.root.nByte>FILTER_TREE)
  ){
    filterTreeFill(pDb, p);
  }
}

/* A read transaction is about to look for the newest trees. */
static void filterTreesBegin(lsm_db *pDb){
  FilterStore *p = filterStoreOf(pDb);
  pDb->iFilterTrees = p ? (i64)filterLoad(&p->iTree) : -1;
}

/* True if neither tree in memory that the read transaction sees has the key. */
static int filterTreesMiss(lsm_db *pDb, u64 h){
  FilterStore *p = filterStoreOf(pDb);
  int i;
  if( p==0 || pDb->iFilterTrees<0 ) return 0;
  for(i=0; i<FILTER_TREES; i++){
    FilterTree *pTree = &p->aTree[i];
    const int eState = filterLoad(&pTree->eState);
    if( eState==FILTER_TREE_EMPTY ) continue;
    if( eState==FILTER_TREE_OFF || filterLoad(&pTree->bRange) ) return 0;
    if( filterHas(pTree->pBits, h) ) return 0;
  }
  return (i64)filterLoad(&p->iTree)==pDb->iFilterTrees;
}

#else

/* Every run is searched. */
# define filterHash(pKey, nKey) 0
# define filterTreesMiss(pDb, h) 0
# define filterSoon(pCsr, h)
# define filterSkips(pDb, pSeg, bLast, h) 0
# define filterFound(pDb)
# define filterVain(pDb, pLevel, pSeg)

#endif

int lsmlite_filter_memory(lsm_db *db, int nKib){
#ifdef LSM_FILTERS
  if( db->pDatabase ) return LSM_MISUSE;
  db->nFilterKib = nKib;
#endif
  return LSM_OK;
}

void lsmlite_filter_stats(lsm_db *db, lsm_i64 *pnByte, lsm_i64 *pnSkip, lsm_i64 *pnVain){
  *pnByte = 0;
  *pnSkip = 0;
  *pnVain = 0;
#ifdef LSM_FILTERS
  if( db->pDatabase && db->pDatabase->pFilterStore ){
    *pnByte = filterLoad(&db->pDatabase->pFilterStore->nByte);
  }
  *pnSkip = db->nFilterSkip;
  *pnVain = db->nFilterVain;
#endif
}
