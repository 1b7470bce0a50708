#ifndef LSMLITE_EXTRAS_H
#define LSMLITE_EXTRAS_H
/* Functions of ours that need lsm1's internals; lsm.h comes first. */

/*
** Frees a connection without writing anything: for one that has seen a write or sync fail, and
** for one whose lsm_open() failed. The log stays, and the next connection to have the database
** to itself recovers from it.
*/
void lsmlite_abandon(lsm_db *db);

/*
** Copies the checkpoint that the connection's read transaction rests on: 32-bit numbers in the
** order of the file, the two checksums included. aOut must have room for 1024 of them; *pnOut
** becomes their count.
**
** LSM_MISUSE unless a cursor is open.
*/
int lsmlite_snapshot(lsm_db *db, unsigned int *aOut, int *pnOut);

/*
** Reads n bytes of the database file at offset iOff through the connection's own file handle;
** what lies behind the end of the file reads as zeros.
*/
int lsmlite_read(lsm_db *db, lsm_i64 iOff, void *pOut, int n);

/*
** Where records come from: sets *pbRecord, and the record, or leaves it 0 at the end. Key and
** value must stay where they are until the next call. Whatever it returns but LSM_OK ends the
** ingestion and is its result.
*/
typedef int (*lsmlite_source)(
  void *pCtx,
  int *pbRecord,
  const void **ppKey, int *pnKey,
  const void **ppVal, int *pnVal
);

/*
** Writes records, whose keys must ascend strictly, straight into a run of their own that is newer
** than everything there is, and makes a checkpoint. If that fails, nothing of them is in the
** database. Until it returns nobody else writes, works on the file, or makes checkpoints.
**
** LSM_BUSY if somebody does so already, before the source is asked for anything; LSM_MISUSE
** with a cursor or a transaction open.
*/
int lsmlite_ingest(lsm_db *db, lsmlite_source xNext, void *pCtx);

/*
** Opens a cursor and seeks exactly this key. If there is a record, *ppCsr becomes the cursor,
** which the caller closes, and *ppVal and *pnVal its value, which stays until the next call on the
** connection. Without one, and after an error, there is no cursor: *ppCsr is 0.
*/
int lsmlite_get(
  lsm_db *db,
  const void *pKey, int nKey,
  lsm_cursor **ppCsr,
  const void **ppVal, int *pnVal
);

/*
** Moves the cursor one record on (iDir>0) or back (iDir<0), or leaves it where it is (0), and shows
** the record: *pbRecord is 0 if there is none. Key and value stay until the next call on the
** connection. With ppVal 0 the value isn't read.
*/
int lsmlite_csr_step(
  lsm_cursor *pCsr,
  int iDir,
  int *pbRecord,
  const void **ppKey, int *pnKey,
  const void **ppVal, int *pnVal
);

/* A record where the engine has it. */
typedef struct lsmlite_record lsmlite_record;
struct lsmlite_record {
  const void *pKey;
  const void *pVal;
  int nKey;
  int nVal;
};

/*
** Shows records that follow the one that the cursor is on (iDir>0), or come before it (iDir<0), in
** that order, and returns how many: nMax at most, and 0 if the next one takes a step to be found, or
** there is none. They stay until the next call on the connection. The cursor stays where it is.
*/
int lsmlite_csr_ahead(lsm_cursor *pCsr, int iDir, lsmlite_record *aOut, int nMax);

/*
** Moves the cursor to the n-th of the records that lsmlite_csr_ahead() has just shown, from 1 on.
*/
int lsmlite_csr_pass(lsm_cursor *pCsr, int iDir, int n);

/*
** Says which keys are written next, in any order, within a transaction: they are then found faster.
** Only their keys are looked at, and nothing is kept. More than sixteen are too many: the rest is
** left out.
*/
void lsmlite_expect(lsm_db *db, const lsmlite_record *aRecord, int nRecord);

/*
** How much memory the connection's page cache may take, in KiB; 2048 by default. To be set before
** lsm_open(), else LSM_MISUSE. Pages that are in use come on top.
*/
int lsmlite_page_cache(lsm_db *db, int nKib);

/*
** How many pages this connection has found in its page cache; mapped ones aren't counted.
*/
lsm_i64 lsmlite_cache_hits(lsm_db *db);

/*
** How much memory the filters for missing keys may take, in KiB; 0, the default, is none. To be set
** before lsm_open(), by the connection that opens the database first in this process: the others
** share its filters. There are none while several processes may write to the file.
**
** LSM_MISUSE if the connection is open.
*/
int lsmlite_filter_memory(lsm_db *db, int nKib);

/*
** How many bytes the filters of the database take, how many runs look-ups of this connection were
** spared, and how many they have searched without finding their key.
*/
void lsmlite_filter_stats(lsm_db *db, lsm_i64 *pnByte, lsm_i64 *pnSkip, lsm_i64 *pnVain);

#endif
