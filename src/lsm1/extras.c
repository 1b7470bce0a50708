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
