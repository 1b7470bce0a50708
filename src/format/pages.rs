//! Reads pages: plain ones, and packed ones from their records.
//!
//! A page record: its length in three bytes, the packed page, and the length again. Each length
//! byte has its highest bit set and carries seven bits of the number, the highest first. Space
//! between page records is filled: six bytes or more by a record whose second length bytes have
//! their highest bit clear, fewer by bytes of which the first and the last state how many they
//! are. The lengths at the end let readers go backwards.
//!
//! A record may go on in the run's next block.
//!
//! With page checksums, a checksum of four bytes follows the packed page and counts as a part of it;
//! gaps are always records, with a checksum as well; and so have the links between blocks. A
//! checksum covers the data, its length and kind, its place in the file when it was written, and a
//! number that marks the run.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::Fault;
use super::chain::{Chain, Kind};
use super::checkpoint::Checkpoint;
use super::layout::{CHECKSUM, Layout};
use super::page::Page;
use super::source::Source;
use crate::compression::{FileCodec, PageCodec, unknown};
use crate::error::{LsmError, LsmErrorCode};

/// Bytes of one length.
const LENGTH: u64 = 3;

/// Reads the pages of one file.
pub(crate) struct Pages<'a> {
    source: &'a dyn Source,
    pub(crate) layout: Layout,
    codec: Option<Arc<dyn PageCodec>>,
    bytes: Cell<u64>,
}

/// What lies at an offset, with a codec.
pub(crate) enum Slot {
    /// A page record of so many bytes, and what unpacking it gave.
    Page(u64, Result<Page, Fault>),
    /// So many unused bytes.
    Gap(u64),
}

impl<'a> Pages<'a> {
    pub(crate) fn new(
        source: &'a dyn Source,
        layout: Layout,
        codec: Option<Arc<dyn PageCodec>>,
    ) -> Pages<'a> {
        Pages {
            source,
            layout,
            codec,
            bytes: Cell::new(0),
        }
    }

    /// The pages that a checkpoint knows, unpacked by the codec with its id.
    ///
    /// # Errors
    /// None of the codecs has it; the error says what the file needs.
    pub(crate) fn of<'c>(
        source: &'a dyn Source,
        checkpoint: &Checkpoint,
        known: impl Iterator<Item = &'c FileCodec> + Clone,
    ) -> Result<Pages<'a>, LsmError> {
        let codec = known.clone().find(|known| known.id == checkpoint.codec);
        if checkpoint.layout.packed && codec.is_none() {
            let message = unknown(checkpoint.codec, known.map(|known| known.id));
            return Err(LsmError::new("open", LsmErrorCode::LsmMismatch).with_message(message));
        }
        let codec = codec.map(|known| Arc::clone(&known.codec));
        Ok(Pages::new(source, checkpoint.layout, codec))
    }

    /// False if there is no codec for the pages of this file.
    #[cfg(feature = "tools")]
    pub(crate) fn can_be_read(&self) -> bool {
        !self.layout.packed || self.codec.is_some()
    }

    /// Bytes that were read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes.get()
    }

    /// Reads at an offset; says what is wrong as the end of a sentence.
    pub(crate) fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), String> {
        self.bytes.set(self.bytes.get() + out.len() as u64);
        self.source
            .read_at(offset, out)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    format!("lies behind the file's end, at {} bytes", self.source.len())
                }
                _ => format!("can't be read: {error}"),
            })
    }

    /// A page of the run, by its number.
    pub(crate) fn page(&self, chain: &Chain, number: u64) -> Result<Page, Fault> {
        let Some((place, _)) = chain.order(number) else {
            return Err(Fault::page(number, "it isn't part of the run"));
        };
        if !self.layout.packed {
            return self.plain(number);
        }
        match self.slot(chain, place, number)? {
            Slot::Page(_, page) => page,
            Slot::Gap(_) => Err(Fault::page(
                number,
                "there is unused space instead of a page",
            )),
        }
    }

    /// A page that isn't packed.
    pub(crate) fn plain(&self, number: u64) -> Result<Page, Fault> {
        let fault = |problem: String| Fault::page(number, problem);
        let block = self.layout.block_of(number);
        let block = block.ok_or_else(|| fault("it lies in no block".to_owned()))?;
        let (offset, len) = self.layout.content(number, block);
        let mut data = vec![0; len];
        self.read(offset, &mut data)
            .map_err(|problem| fault(format!("it {problem}")))?;
        Ok(Page { number, data })
    }

    /// What lies at an offset on the block at `place`, with a codec.
    pub(crate) fn slot(&self, chain: &Chain, place: usize, offset: u64) -> Result<Slot, Fault> {
        let fault = |problem: &str| Fault::page(offset, problem);
        let mut head = [0; LENGTH as usize];
        // Short gaps may be the last bytes of the run: read what is needed only.
        self.span(chain, place, offset, &mut head[..1])?;
        if head[0] & 0x80 == 0 {
            let size = u64::from(head[0]);
            if !(1..2 * LENGTH).contains(&size) {
                return Err(fault("no page record and no gap begins here"));
            }
            let mut tail = [0];
            let last = chain
                .advance(place, offset, size - 1)
                .ok_or_else(|| fault("a gap runs past the end of the run"))?;
            self.span(chain, last.0, last.1, &mut tail)?;
            return match tail[0] == head[0] {
                true => Ok(Slot::Gap(size)),
                false => Err(fault("the two lengths of a gap differ")),
            };
        }
        self.span(chain, place, offset, &mut head)?;
        let number = |i: usize| u64::from(head[i] & 0x7f);
        let size = number(0) << 14 | number(1) << 7 | number(2);
        let total = size + 2 * LENGTH;
        let mut tail = [0; LENGTH as usize];
        let at = chain
            .advance(place, offset, size + LENGTH)
            .ok_or_else(|| fault("a page record runs past the end of the run"))?;
        self.span(chain, at.0, at.1, &mut tail)?;
        if tail != head {
            return Err(fault("the two lengths of a page record differ"));
        }
        let is_page = head[1] & 0x80 != 0;
        if !is_page && !self.layout.checked {
            return Ok(Slot::Gap(total));
        }
        let mut packed = vec![0; size as usize];
        if let Some((place, at)) = chain.advance(place, offset, LENGTH) {
            self.span(chain, place, at, &mut packed)?;
        }
        let kind = if is_page { Kind::Page } else { Kind::Gap };
        if !chain.matches(offset, kind, &packed) {
            let fault = fault("its checksum is wrong");
            return match is_page {
                true => Ok(Slot::Page(total, Err(fault))),
                false => Err(fault),
            };
        }
        Ok(match is_page {
            true => Slot::Page(total, self.unpack(offset, &packed)),
            false => Slot::Gap(total),
        })
    }

    /// Where what ends before an offset begins: its place and offset. With a codec; to be looked at
    /// by [`slot`](Self::slot).
    #[cfg(feature = "tools")]
    pub(crate) fn begin_of(
        &self,
        chain: &Chain,
        place: usize,
        end: u64,
    ) -> Result<(usize, u64), Fault> {
        let fault = || Fault::page(end, "what ends here doesn't begin in the run");
        let byte = |count| {
            let (place, at) = chain.retreat(place, end, count).ok_or_else(fault)?;
            let mut byte = [0];
            self.span(chain, place, at, &mut byte)?;
            Ok(byte[0])
        };
        let last = byte(1)?;
        let size = match last & 0x80 {
            0 => u64::from(last),
            _ => {
                let number = |byte: u8| u64::from(byte & 0x7f);
                let (first, second) = (byte(LENGTH)?, byte(LENGTH - 1)?);
                (number(first) << 14 | number(second) << 7 | number(last)) + 2 * LENGTH
            }
        };
        chain
            .retreat(place, end, size)
            .filter(|_| size > 0)
            .ok_or_else(fault)
    }

    fn unpack(&self, offset: u64, packed: &[u8]) -> Result<Page, Fault> {
        let fault = |problem: String| Fault::page(offset, problem);
        // The engine has room for this much and no more.
        if packed.len() as u64 > 4 * self.layout.page + 64 + 8192 {
            let problem = format!("its page record has {} bytes", packed.len());
            return Err(fault(problem));
        }
        let data = self.decompress(packed).map_err(fault)?;
        let number = offset;
        Ok(Page { number, data })
    }

    /// Unpacks a page; it must come out whole.
    fn decompress(&self, packed: &[u8]) -> Result<Vec<u8>, String> {
        let (data, used) = self.unpack_some(packed)?;
        match used == data.len() {
            true => Ok(data),
            false => Err(format!(
                "it unpacks to {used} bytes instead of {}",
                data.len()
            )),
        }
    }

    /// Unpacks what may be a page of any size up to the layout's.
    pub(crate) fn unpack_any(&self, packed: &[u8]) -> Option<Vec<u8>> {
        let (mut data, used) = self.unpack_some(packed).ok()?;
        data.truncate(used);
        Some(data)
    }

    /// A buffer of one page, and how much of it was filled.
    fn unpack_some(&self, packed: &[u8]) -> Result<(Vec<u8>, usize), String> {
        let Some(codec) = &self.codec else {
            return Err("there is no codec for it".to_owned());
        };
        let checksum = if self.layout.checked { CHECKSUM } else { 0 };
        let len = packed.len().checked_sub(checksum as usize);
        let packed = len.and_then(|len| packed.get(..len));
        let packed = packed.ok_or("its page record is too short")?;
        let mut data = vec![0; self.layout.page as usize];
        // On damaged bytes a codec may do anything that safe code can do.
        let used = catch_unwind(AssertUnwindSafe(|| codec.decompress(packed, &mut data)))
            .map_err(|_| "the codec panicked on it".to_owned())?
            .map_err(|error| format!("it can't be unpacked: {error}"))?;
        Ok((data, used))
    }

    /// Bytes from an offset on, which may go on in the next block.
    fn span(&self, chain: &Chain, place: usize, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        let fault = |problem: String| Fault::page(offset, format!("it {problem}"));
        let end = chain
            .blocks
            .get(place)
            .map_or(0, |&b| self.layout.last_on(b) + 1);
        let here = end.saturating_sub(offset).min(out.len() as u64) as usize;
        let (first, rest) = out.split_at_mut(here);
        if !first.is_empty() {
            self.read(offset, first).map_err(fault)?;
        }
        if !rest.is_empty() {
            let Some(&next) = chain.blocks.get(place + 1) else {
                return Err(fault("runs past the end of the run".to_owned()));
            };
            self.read(self.layout.first_on(next), rest).map_err(fault)?;
        }
        Ok(())
    }
}
