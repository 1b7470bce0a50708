/*
** Page checksums (patch 120-page-checksums, which calls these functions; README.md describes
** the format). A file with them is one with compression, except that
**
**   - a record is its size (3 bytes), the packed page, the checksum (4 bytes), and its size
**     once more; the size counts the packed page and the checksum;
**   - a padding is always such a record, with zeros in it;
**   - the number of the next block, at both ends of a block, has a checksum of its own.
**
** A checksum covers what it stands behind, the length and kind of it, its place in the file,
** and the number of the run that it belongs to. So a record at a wrong place is damage, and so
** is one that an earlier run left there.
*/
#ifdef LSM_COMPRESSION_CHECKSUMS

#define CHECKSUM_BYTES  4
#define SIZE_BYTES      3
#define RECORD_EXTRA    (2*SIZE_BYTES + CHECKSUM_BYTES)

#define CHECKSUM_PAGE    1
#define CHECKSUM_PADDING 2
#define CHECKSUM_NEXT    3
#define CHECKSUM_PREV    4

/*
** The place at which iOff was written. It differs from iOff if the block was moved since:
** that leaves the pages in it, and the pointers to them, as they are.
*/
static i64 checkedPlace(FileSystem *pFS, Segment *pSeg, i64 iOff){
  Redirect *p = pSeg->pRedirect;
  if( p ){
    int iBlk = fsPageToBlock(pFS, iOff);
    int i;
    for(i=0; i<p->n; i++){
      if( p->a[i].iTo==iBlk ){
        return iOff + (i64)(p->a[i].iFrom - iBlk) * pFS->nBlocksize;
      }
    }
  }
  return iOff;
}

static u32 checkedSum(
  FileSystem *pFS, Segment *pSeg, i64 iOff, int eKind, const u8 *a, int n
){
  lsm_compress *p = pFS->pCompress;
  i64 iPlace = checkedPlace(pFS, pSeg, iOff);
  return p->xChecksum(p->pCtx, pSeg->iRun, iPlace, eKind, (const char *)a, n);
}

static int checkedDamage(FileSystem *pFS, const char *zWhat, i64 iOff){
  lsmLogMessage(pFS->pDb, LSM_CORRUPT,
      "%s at byte %lld of the file doesn't match its checksum: it is damaged, or was written "
      "to a wrong place or not at all. verify() lists what is damaged, salvage() copies out the "
      "rest", zWhat, iOff);
  return LSM_CORRUPT_BKPT;
}

/* Without patch 450-gathered-writes each write is made at once. */
#ifndef FS_GATHER
# define fsReadDb(pFS, iOff, a, n) lsmEnvRead((pFS)->pEnv, (pFS)->fdDb, iOff, a, n)
# define fsWriteDb(pFS, iOff, a, n) lsmEnvWrite((pFS)->pEnv, (pFS)->fdDb, iOff, a, n)
#endif

/* The offset of the block number at the end of block iBlk, or at its beginning. */
static i64 linkOffset(FileSystem *pFS, int iBlk, int bNext){
  if( bNext ) return fsLastPageOnBlock(pFS, iBlk) + 1;
  return fsFirstPageOnBlock(pFS, iBlk) - fsLinkSize(pFS);
}

/*
** Reads the number of the block that follows block iBlk (bNext) or comes before it.
*/
static int fsReadLink(FileSystem *pFS, Segment *pSeg, int iBlk, int bNext, int *piOut){
  i64 iOff = linkOffset(pFS, iBlk, bNext);
  u8 a[4 + CHECKSUM_BYTES];
  int rc;

  if( iBlk<=0 || (pSeg==0 && fsChecked(pFS)) ) return LSM_CORRUPT_BKPT;
  rc = fsReadDb(pFS, iOff, a, fsLinkSize(pFS));
  if( rc==LSM_OK && fsChecked(pFS) ){
    int eKind = bNext ? CHECKSUM_NEXT : CHECKSUM_PREV;
    if( checkedSum(pFS, pSeg, iOff, eKind, a, 4)!=lsmGetU32(&a[4]) ){
      rc = checkedDamage(pFS, "the link between blocks", iOff);
    }
  }
  if( rc==LSM_OK ) *piOut = (int)lsmGetU32(a);
  return rc;
}

/*
** Writes it.
*/
static int fsWriteLink(FileSystem *pFS, Segment *pSeg, int iBlk, int bNext, int iTo){
  i64 iOff = linkOffset(pFS, iBlk, bNext);
  u8 a[4 + CHECKSUM_BYTES];

  lsmPutU32(a, (u32)iTo);
  if( fsChecked(pFS) ){
    int eKind = bNext ? CHECKSUM_NEXT : CHECKSUM_PREV;
    lsmPutU32(&a[4], checkedSum(pFS, pSeg, iOff, eKind, a, 4));
  }
  return fsWriteDb(pFS, iOff, a, fsLinkSize(pFS));
}

/*
** Like fsReadPagedata(): reads and unpacks the record at pPg->iPg, or sets *pnSpace if it is
** a padding.
*/
static int fsReadChecked(FileSystem *pFS, Segment *pSeg, Page *pPg, int *pnSpace){
  lsm_compress *p = pFS->pCompress;
  i64 iOff = pPg->iPg;
  i64 nBlock;                     /* Bytes from iOff to the end of the block's pages */
  int nGot;                       /* Bytes of the record in aRec */
  int nBody = 0;                  /* Size of the packed page and the checksum */
  int nData;                      /* Size of the packed page */
  int bFree = 0;
  u8 *aRec;
  int rc;

  if( pSeg==0 ) return LSM_MISUSE_BKPT;
  if( fsAllocateBuffer(pFS, 0) ) return LSM_NOMEM;
  aRec = pFS->aIBuffer;

  /* A page is seldom longer packed than unpacked, so one read is enough nearly always. */
  nBlock = fsLastPageOnPagesBlock(pFS, iOff) + 1 - iOff;
  if( nBlock<=0 ) return checkedDamage(pFS, "the page", iOff);
  nGot = (int)LSM_MIN(nBlock, pFS->nPagesize + RECORD_EXTRA);
  if( nGot>=SIZE_BYTES ){
    rc = fsReadDb(pFS, iOff, aRec, nGot);
  }else{
    nGot = SIZE_BYTES;
    rc = fsReadData(pFS, pSeg, iOff, aRec, nGot);
  }
  if( rc==LSM_OK ){
    nBody = getRecordSize(aRec, &bFree);
    if( (aRec[0] & aRec[2] & 0x80)==0
     || nBody<CHECKSUM_BYTES || nBody>pFS->nBuffer-SIZE_BYTES
    ){
      rc = checkedDamage(pFS, "the page", iOff);
    }else if( nBody>nGot-SIZE_BYTES ){
      rc = fsReadData(pFS, pSeg, iOff, aRec, SIZE_BYTES + nBody);
    }
  }
  if( rc!=LSM_OK ) return rc;

  nData = nBody - CHECKSUM_BYTES;
  aRec += SIZE_BYTES;
  if( checkedSum(pFS, pSeg, iOff, bFree ? CHECKSUM_PADDING : CHECKSUM_PAGE, aRec, nData)
      !=lsmGetU32(&aRec[nData])
  ){
    return checkedDamage(pFS, "the page", iOff);
  }
  if( bFree ){
    if( pnSpace==0 ) return LSM_CORRUPT_BKPT;
    *pnSpace = nBody + 2*SIZE_BYTES;
  }else{
    int n = (int)pFS->nPagesize;
    pPg->nCompress = nBody;
    rc = p->xUncompress(p->pCtx, (char *)pPg->aData, &n, (const char *)aRec, nData);
    if( rc==LSM_OK && n!=pFS->nPagesize ) rc = LSM_CORRUPT_BKPT;
  }
  return rc;
}

/*
** Where the next byte of the segment will be. For its first one, this takes an append point or
** allocates a block, and numbers the run.
*/
static LsmPgno checkedAppendPlace(FileSystem *pFS, Segment *pSeg, int *pRc){
  LsmPgno iApp = pSeg->iLastPg + 1;
  int iBlk = 0;

  if( pSeg->iLastPg==0 ){
    iApp = findAppendPoint(pFS, 0);
    if( iApp==0 ){
      *pRc = lsmBlockAllocate(pFS->pDb, 0, &iBlk);
      if( *pRc!=LSM_OK ) return 0;
      iApp = fsFirstPageOnBlock(pFS, iBlk);
    }
    pSeg->iRun = pFS->pCompress->xRun(pFS->pCompress->pCtx);
    pSeg->iFirst = iApp;
    pSeg->iLastPg = iApp - 1;
  }else if( pSeg->iLastPg==fsLastPageOnPagesBlock(pFS, pSeg->iLastPg) ){
    *pRc = fsBlockNext(pFS, pSeg, fsPageToBlock(pFS, pSeg->iLastPg), &iBlk);
    if( *pRc!=LSM_OK ) return 0;
    iApp = fsFirstPageOnBlock(pFS, iBlk);
  }
  return iApp;
}

/*
** Appends the record whose packed page, or whatever it holds, are the nData bytes that begin
** SIZE_BYTES into pFS->aOBuffer. Returns its page number.
*/
static LsmPgno checkedAppend(
  FileSystem *pFS, Segment *pSeg, int nData, int bFree, int *pRc
){
  int eKind = bFree ? CHECKSUM_PADDING : CHECKSUM_PAGE;
  u8 *aRec = pFS->aOBuffer;
  LsmPgno iPg = checkedAppendPlace(pFS, pSeg, pRc);

  if( *pRc!=LSM_OK ) return 0;
  putRecordSize(aRec, nData + CHECKSUM_BYTES, bFree);
  lsmPutU32(&aRec[SIZE_BYTES + nData],
      checkedSum(pFS, pSeg, iPg, eKind, &aRec[SIZE_BYTES], nData));
  putRecordSize(&aRec[SIZE_BYTES + nData + CHECKSUM_BYTES], nData + CHECKSUM_BYTES, bFree);
  fsAppendData(pFS, pSeg, aRec, nData + RECORD_EXTRA, pRc);
  return iPg;
}

/*
** Packs and appends a page that has no number yet, and gives it one.
*/
static int fsWriteChecked(FileSystem *pFS, Page *pPg){
  lsm_compress *p = pFS->pCompress;
  int nData;
  int rc;

  if( fsAllocateBuffer(pFS, 1) ) return LSM_NOMEM;
  nData = pFS->nBuffer - RECORD_EXTRA;
  rc = p->xCompress(p->pCtx, (char *)&pFS->aOBuffer[SIZE_BYTES], &nData,
      (const char *)pPg->aData, pPg->nData);
  if( rc==LSM_OK ){
    pPg->nCompress = nData + CHECKSUM_BYTES;
    pPg->iPg = checkedAppend(pFS, pPg->pSeg, nData, 0, &rc);
  }
  return rc;
}

/*
** Like lsmFsSortedPadding(): fills the sector, so that what is written later doesn't touch one
** that a checkpoint relies on. What is too short for a record takes a sector more, if need be
** in the next block.
*/
static int fsPadChecked(FileSystem *pFS, Segment *pSeg){
  int rc = LSM_OK;
  LsmPgno iLast = pSeg->iLastPg;
  LsmPgno iEnd;                   /* Last byte of the sector */
  int nPad;

  if( pSeg->iFirst==0 ) return LSM_OK;
  iEnd = (1 + iLast/pFS->szSector) * pFS->szSector - 1;
  nPad = (int)(LSM_MIN(iEnd, fsLastPageOnPagesBlock(pFS, iLast)) - iLast);
  if( nPad==0 ) return LSM_OK;
  if( nPad<RECORD_EXTRA ){
    int bBlockEnd = iEnd>fsLastPageOnPagesBlock(pFS, iLast);
    int nLast = 0;                /* Links in the next sector, at either end of the block */

    if( bBlockEnd ){
      nLast = fsLinkSize(pFS);
    }else if( iEnd + pFS->szSector>fsLastPageOnPagesBlock(pFS, iLast) ){
      nLast = fsLinkSize(pFS);
    }
    nPad += pFS->szSector - nLast;
  }

  if( fsAllocateBuffer(pFS, 1) ) return LSM_NOMEM;
  memset(pFS->aOBuffer, 0, nPad);

  /* The cache may still hold a page that used to begin there, as in lsmFsSortedPadding(). */
  fsRemoveHashEntry(pFS, iLast+1);
  pSeg->nSize += nPad;
  checkedAppend(pFS, pSeg, nPad - RECORD_EXTRA, 1, &rc);
  return rc;
}

#endif
