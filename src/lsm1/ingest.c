/*
** Sorted records straight into a run of their own (patch 160-runs-from-outside makes room for
** that): neither through the log nor the trees in memory, nor through merges of what is flushed.
*/
#include "extras.h"

#ifdef LSM_INGEST

typedef struct Ingest Ingest;
struct Ingest {
  lsmlite_source xNext;
  void *pCtx;
};

/* Writes all records of the source to the run that a MergeWorker makes. */
static int ingestAll(void *pWorker, void *p){
  MergeWorker *pMW = (MergeWorker *)pWorker;
  Ingest *pIngest = (Ingest *)p;
  while( 1 ){
    const void *pKey = 0;
    const void *pVal = 0;
    int nKey = 0;
    int nVal = 0;
    int bRecord = 0;
    int rc = pIngest->xNext(pIngest->pCtx, &bRecord, &pKey, &nKey, &pVal, &nVal);
    if( rc!=LSM_OK || bRecord==0 ) return rc;
    rc = mergeWorkerWrite(pMW, LSM_INSERT, (void *)pKey, nKey, (void *)pVal, nVal, 0);
    if( rc!=LSM_OK ) return rc;
  }
}

/*
** The age that merges would have given to a level of so many bytes: else the next few flushes
** would be merged with all of it. Ages don't fall from the newest to the oldest level.
*/
static u16 ingestAge(lsm_db *db, Level *pLevel, i64 nByte){
  u16 iAge = 0;
  while( nByte>db->nTreeLimit && iAge<16 ){
    nByte = nByte / LSM_MAX(db->nMerge, 2);
    iAge++;
  }
  if( pLevel->pNext && pLevel->pNext->iAge<iAge ) iAge = pLevel->pNext->iAge;
  return iAge;
}

/* With the locks of writer and checkpointer, and nothing in the trees in memory. */
static int ingestRun(lsm_db *db, Ingest *pIngest){
  int nPage = 0;
  int rc = lsmBeginWork(db);
  int rcEnd;

  while( rc==LSM_OK && sortedDbIsFull(db) ){
    int nPg = 0;
    rc = sortedWork(db, 256, db->nMerge, 1, &nPg);
    if( rc==LSM_OK && nPg==0 ) rc = LSM_CORRUPT_BKPT;
  }
  if( rc==LSM_OK ){
    db->xIngest = ingestAll;
    db->pIngest = pIngest;
    rc = sortedNewToplevel(db, TREE_NONE, &nPage);
    db->xIngest = 0;
    db->pIngest = 0;
  }
  if( rc==LSM_OK && nPage>0 ){
    Level *pLevel = lsmDbSnapshotLevel(db->pWorker);
    pLevel->iAge = ingestAge(db, pLevel, (i64)nPage * lsmFsPageSize(db->pFS));
  }
  if( rc==LSM_OK ) rc = lsmSaveWorker(db, 0);

  /* It is saved by now, or not to be saved. LSM_BUSY lets go of it and keeps the cache, which
  ** after a failure may hold pages of no snapshot. */
  rcEnd = rc==LSM_OK ? LSM_BUSY : rc==LSM_BUSY ? LSM_ERROR : rc;
  lsmFinishWork(db, 0, &rcEnd);
  return rc;
}

int lsmlite_ingest(lsm_db *db, lsmlite_source xNext, void *pCtx){
  Ingest ingest;
  int rc;
  int iTry;

  if( db->nTransOpen>0 || db->pCsr || db->bReadonly ) return LSM_MISUSE;
  ingest.xNext = xNext;
  ingest.pCtx = pCtx;

  /* What is in memory is older than the new run, so it has to go below. Somebody else may
  ** write between the flush and the lock. */
  for(iTry=0; 1; iTry++){
    rc = lsm_flush(db);
    if( rc!=LSM_OK ) return rc;
    rc = lsmBeginWriteTrans(db);
    if( rc!=LSM_OK ) return rc;
    if( lsmTreeSize(db)==0 && lsmTreeHasOld(db)==0 ) break;
    lsmFinishWriteTrans(db, 0);
    lsmFinishReadTrans(db);
    if( iTry>=8 ) return LSM_BUSY;
  }

  /* The log knows nothing of the run: no later commit may reach it before the checkpoint that
  ** has the run is made. So nobody else writes, or makes checkpoints, until then. */
  rc = lsmShmLock(db, LSM_LOCK_CHECKPOINTER, LSM_LOCK_EXCL, 0);
  if( rc==LSM_OK ){
    rc = ingestRun(db, &ingest);
    if( rc==LSM_OK ) rc = lsmCheckpointWrite(db, 0);
    lsmShmLock(db, LSM_LOCK_CHECKPOINTER, LSM_LOCK_UNLOCK, 0);
  }
  lsmFinishWriteTrans(db, 0);
  lsmFinishReadTrans(db);
  return rc;
}

#else

int lsmlite_ingest(lsm_db *db, lsmlite_source xNext, void *pCtx){
  return LSM_MISUSE;
}

#endif
