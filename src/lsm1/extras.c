/* Functions of ours that need lsm1's internals; compiled with the amalgamation. */
#include "extras.h"

/*
** What lsm_close() would write, flush, checkpoint, cut or delete stays as it is. Everything
** else goes, whatever the connection was doing when it failed: cursors, an open transaction,
** a worker snapshot that came to nothing, locks, memory, files. The shared Database goes with
** its last connection, and the trees in its heap memory with it; memory that is mapped from a
** -shm file is unmapped, and the file stays. In both cases the next connection to come finds
** nobody on DMS2, forgets the shared memory and recovers from the newest checkpoint and the log.
**
** If connections remain in this process they share the trees with what failed, and go on:
**   + A commit that failed took back its changes before it let go of the WRITER lock, and an
**     open transaction is taken back here. That touches memory only and can't fail.
**   + The next commit is written over the log record of one that failed.
**   + Work that failed never reached the shared snapshot, and its pages were never in use.
**   + A sync that failed may have lost pages for good although a second one succeeds: such a
**     database takes no further checkpoint until all have let go of it.
*/
void lsmlite_abandon(lsm_db *db){
  int iLock;
  if( db==0 ) return;

  lsmFreeSnapshot(db->pEnv, db->pWorker);
  db->pWorker = 0;
  db->pFreelist = 0;
  db->bUseFreelist = 0;

  while( db->pCsr ) lsmMCursorClose(db->pCsr, 0);
  lsmMCursorFreeCache(db);
  lsm_rollback(db, 0);
  if( db->pDatabase ){
    lsmFinishReadTrans(db);
    for(iLock=1; iLock<=LSM_LOCK_RWCLIENT(LSM_LOCK_NRWCLIENT-1); iLock++){
      lsmShmLock(db, iLock, LSM_LOCK_UNLOCK, 0);
    }
  }
  db->iRwclient = -1;

  /* A connection without shared memory is closed without a farewell to the file. */
  db->pShmhdr = 0;
  lsm_close(db);
}

int lsmlite_snapshot(lsm_db *db, unsigned int *aOut, int *pnOut){
  u32 nInt;

  if( db->pCsr==0 || (db->iReader<0 && db->bRoTrans==0) ) return LSM_MISUSE;

  /* Work on this connection may have loaded a checkpoint that is newer than the read lock. That
  ** is fine: the lock keeps every block from being reused that was freed after it was taken. */
  nInt = db->aSnapshot[CKPT_HDR_NCKPT];
  if( nInt<CKPT_HDR_SIZE || nInt>array_size(db->aSnapshot) ) return LSM_CORRUPT_BKPT;
  memcpy(aOut, db->aSnapshot, nInt*sizeof(u32));
  *pnOut = (int)nInt;
  return LSM_OK;
}

int lsmlite_read(lsm_db *db, lsm_i64 iOff, void *pOut, int n){
  if( db->pFS==0 || db->pFS->fdDb==0 ) return LSM_MISUSE;
  return lsmEnvRead(db->pEnv, db->pFS->fdDb, iOff, pOut, n);
}

int lsmlite_get(
  lsm_db *db,
  const void *pKey, int nKey,
  lsm_cursor **ppCsr,
  const void **ppVal, int *pnVal
){
  lsm_cursor *pCsr = 0;
  int rc = lsm_csr_open(db, &pCsr);

  *ppCsr = 0;
  if( rc!=LSM_OK ) return rc;
#ifdef LSM_READS_IN_PLACE
  {
    MultiCursor *p = (MultiCursor *)pCsr;
    int eFound;
    p->flags |= CURSOR_IN_PLACE;
    eFound = lookupKey(p, pKey, nKey, ppVal, pnVal);
    if( eFound==LOOKUP_UNSURE ){
      rc = lsmMCursorSeek(p, 0, (void *)pKey, nKey, LSM_SEEK_EQ);
      if( rc==LSM_OK && (p->flags & CURSOR_SEEK_EQ) ){
        eFound = LOOKUP_FOUND;
        *ppVal = p->pInPlace;
        *pnVal = p->nInPlace;
      }
    }
    if( eFound==LOOKUP_FOUND ){
      *ppCsr = pCsr;
      return LSM_OK;
    }
  }
#else
  rc = lsm_csr_seek(pCsr, pKey, nKey, LSM_SEEK_EQ);
  if( rc==LSM_OK && lsm_csr_valid(pCsr) ){
    rc = lsm_csr_value(pCsr, ppVal, pnVal);
    if( rc==LSM_OK ){
      *ppCsr = pCsr;
      return LSM_OK;
    }
  }
#endif
  lsm_csr_close(pCsr);
  return rc;
}

int lsmlite_csr_step(
  lsm_cursor *pCsr,
  int iDir,
  int *pbRecord,
  const void **ppKey, int *pnKey,
  const void **ppVal, int *pnVal
){
  MultiCursor *p = (MultiCursor *)pCsr;
  int rc = LSM_OK;

  *pbRecord = 0;
  if( iDir>0 ){
    rc = lsmMCursorNext(p);
  }else if( iDir<0 ){
    rc = lsmMCursorPrev(p);
  }
  if( rc!=LSM_OK ) return rc;
  if( p->aTree && (p->flags & CURSOR_SEEK_EQ)==0 ){
    int i = p->aTree[1] - CURSOR_DATA_SEGMENT;
    if( i>=0 && i<p->nPtr ){
      /* The usual case: on a record of a run, whose key the cursor has cached. */
      SegmentPtr *pPtr = &p->aPtr[i];
      if( pPtr->pPg==0 ) return LSM_OK;
      /* After a mapping was moved, the record couldn't be read once more. */
      if( pPtr->pKey==0 ) return LSM_CORRUPT_BKPT;
      *ppKey = p->key.pData;
      *pnKey = p->key.nData;
      if( ppVal ){
        *ppVal = pPtr->pVal;
        *pnVal = pPtr->nVal;
      }
      *pbRecord = 1;
      return LSM_OK;
    }
  }
  if( lsmMCursorValid(p)==0 ) return LSM_OK;
  rc = lsmMCursorKey(p, (void **)ppKey, pnKey);
  if( rc==LSM_OK && ppVal ){
    if( (p->flags & CURSOR_SEEK_EQ) || p->aTree==0 ){
      rc = lsmMCursorValue(p, (void **)ppVal, pnVal);
    }else{
      /* Where it is, rather than a copy as in lsm_csr_value(). */
      rc = multiCursorGetVal(p, p->aTree[1], (void **)ppVal, pnVal);
    }
  }
  *pbRecord = (rc==LSM_OK);
  return rc;
}

int lsmlite_page_cache(lsm_db *db, int nKib){
  if( db->pDatabase || nKib<0 ) return LSM_MISUSE;
#ifdef LSM_PAGE_CACHE
  db->nCacheKib = nKib;
#endif
  return LSM_OK;
}

lsm_i64 lsmlite_cache_hits(lsm_db *db){
#ifdef LSM_CACHE_HITS
  if( db->pFS ) return db->pFS->nHit;
#endif
  return 0;
}
