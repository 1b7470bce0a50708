/* Functions of ours that need lsm1's internals; lsm.h comes first. */

/*
** Frees a connection without writing anything: for one that has seen a write or sync fail, and
** for one whose lsm_open() failed. The log stays, and the next connection to have the database
** to itself recovers from it.
*/
void lsmlite_abandon(lsm_db *db);
