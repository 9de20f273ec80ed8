//! Files with holes: where the bytes that are in the archive belong. Pure.
//! Source: GNU tar manual, "Storing Sparse Files"; the old format is in GNU tar's `tar.h`.

use super::header::{BLOCK, Block, number};
use super::pax::Sparse;
use crate::unpack::Fault;

/// The most pieces of one file.
const PIECES: usize = 1 << 16;

/// A piece of a file that is not a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where it begins.
    pub(super) offset: u64,
    /// Its bytes.
    pub(super) length: u64,
}

/// The pieces of a file and its size with holes, once they have been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Map {
    pub(super) pieces: Vec<Piece>,
    pub(super) size: u64,
}

impl Map {
    /// Pieces must be in order, apart, inside the file, and together have the `stored` bytes.
    pub(super) fn new(pieces: Vec<Piece>, size: u64, stored: u64) -> Result<Self, Fault> {
        let (mut end, mut sum) = (0, 0_u64);
        for piece in &pieces {
            let next = piece.offset.checked_add(piece.length).filter(|next| *next <= size);
            let next = next.filter(|_| piece.offset >= end);
            end = next.ok_or_else(|| wrong("pieces that follow each other inside the file"))?;
            sum += piece.length;
        }
        if sum == stored {
            Ok(Self { pieces, size })
        } else {
            Err(wrong("as many bytes as its pieces have"))
        }
    }

    /// Of pairs of offset and length.
    pub(super) fn of(numbers: &[u64], size: u64, stored: u64) -> Result<Self, Fault> {
        let pairs = numbers.chunks_exact(2);
        if !pairs.remainder().is_empty() {
            return Err(wrong("as many offsets as lengths"));
        }
        let piece = |pair: &[u64]| Piece { offset: pair[0], length: pair[1] };
        Self::new(pairs.map(piece).collect(), size, stored)
    }
}

/// The old format, whose list begins in the header and may go on in further blocks.
#[derive(Debug, Default)]
pub(super) struct Old {
    numbers: Vec<u64>,
    size: u64,
    ended: bool,
}

impl Old {
    /// Reads the header; the result says whether another block follows.
    pub(super) fn header(&mut self, block: &Block) -> Result<bool, Fault> {
        self.size = field(&block[483..495])?;
        self.list(&block[386..482])?;
        Ok(block[482] != 0)
    }

    /// Reads a further block; the result says whether another one follows.
    pub(super) fn more(&mut self, block: &Block) -> Result<bool, Fault> {
        self.list(&block[..504])?;
        Ok(block[504] != 0)
    }

    /// All of it.
    pub(super) fn map(&self, stored: u64) -> Result<Map, Fault> {
        Map::of(&self.numbers, self.size, stored)
    }

    /// Pairs up to a blank one.
    fn list(&mut self, fields: &[u8]) -> Result<(), Fault> {
        for pair in fields.chunks_exact(24) {
            self.ended |= pair.iter().all(|byte| *byte == 0);
            if !self.ended {
                self.numbers.extend([field(&pair[..12])?, field(&pair[12..])?]);
            }
        }
        few(self.numbers.len() / 2)
    }
}

/// Version 1.0: the list stands before the contents, one decimal number a line, padded to a block.
#[derive(Debug, Default)]
pub(super) struct Lines {
    numbers: Vec<u64>,
    digits: Vec<u8>,
    blocks: u64,
}

impl Lines {
    /// Reads a block; the result says whether another one follows.
    pub(super) fn more(&mut self, block: &Block) -> Result<bool, Fault> {
        self.blocks += 1;
        for byte in block {
            if self.complete() {
                break;
            }
            match byte {
                b'\n' => self.line()?,
                byte if byte.is_ascii_digit() && self.digits.len() < 20 => self.digits.push(*byte),
                _ => return Err(wrong("decimal numbers, one a line")),
            }
        }
        Ok(!self.complete())
    }

    /// How many bytes it took.
    pub(super) const fn bytes(&self) -> u64 {
        self.blocks * BLOCK as u64
    }

    /// All of it.
    pub(super) fn map(&self, size: u64, stored: u64) -> Result<Map, Fault> {
        Map::of(&self.numbers[1..], size, stored)
    }

    fn line(&mut self) -> Result<(), Fault> {
        let number = std::str::from_utf8(&self.digits).ok().and_then(|digits| digits.parse().ok());
        self.numbers.push(number.ok_or_else(|| wrong("decimal numbers, one a line"))?);
        self.digits.clear();
        few(usize::try_from(self.numbers[0]).unwrap_or(usize::MAX))
    }

    /// The first number says how many pairs follow.
    fn complete(&self) -> bool {
        self.numbers.first().is_some_and(|pairs| self.numbers.len() as u64 > pairs * 2)
    }
}

/// Versions 0.0 and 0.1: all is in PAX records. None for other files.
pub(super) fn listed(records: &Sparse, stored: u64) -> Result<Option<Map>, Fault> {
    let (Some(size), Some(count)) = (records.size, records.count) else { return Ok(None) };
    let pairs = records.map.len() / 2;
    few(pairs)?;
    if pairs as u64 != count {
        return Err(wrong("as many pieces as it says there are"));
    }
    Map::of(&records.map, size, stored).map(Some)
}

fn few(pieces: usize) -> Result<(), Fault> {
    let (found, allowed) = (pieces as u64, PIECES as u64);
    if pieces <= PIECES {
        Ok(())
    } else {
        Err(Fault::Limit { what: "pieces of a sparse file", found, allowed })
    }
}

fn field(bytes: &[u8]) -> Result<u64, Fault> {
    number(bytes).and_then(|value| u64::try_from(value).ok()).ok_or_else(|| wrong("numbers"))
}

fn wrong(expected: &'static str) -> Fault {
    Fault::Structure { expected, found: "something else in its list of holes".to_owned() }
}

const _: () = assert!(BLOCK == 21 * 24 + 8);

#[cfg(test)]
mod tests {
    use super::{Lines, Map, Piece};

    #[test]
    fn pieces_are_apart_in_order_and_inside() {
        let map = |numbers: &[u64], size, stored| Map::of(numbers, size, stored);
        let good = map(&[0, 5, 10, 5, 20, 0], 20, 10).unwrap();
        assert_eq!(good.pieces[1], Piece { offset: 10, length: 5 });
        assert!(map(&[], 1 << 40, 0).is_ok());
        for (numbers, size, stored) in [
            (&[0, 5, 4, 5][..], 20, 10),
            (&[10, 5, 0, 5], 20, 10),
            (&[0, 21], 20, 21),
            (&[0, 5], 20, 6),
            (&[0, 5, 7], 20, 5),
            (&[u64::MAX, 2], u64::MAX, 2),
        ] {
            assert!(map(numbers, size, stored).is_err(), "{numbers:?}");
        }
    }

    #[test]
    fn lines_may_go_on_in_the_next_block() {
        let mut text = b"200\n".to_vec();
        (0..200).for_each(|at| text.extend(format!("{}\n1\n", at * 2).bytes()));
        text.resize(text.len().next_multiple_of(512), 0);
        let mut lines = Lines::default();
        let more: Vec<bool> = text
            .chunks_exact(512)
            .map(|block| lines.more(block.try_into().unwrap()).unwrap())
            .collect();
        assert_eq!(more, [true, true, false]);
        assert_eq!(lines.map(400, 200).unwrap().pieces.len(), 200);
        let mut huge = [0; 512];
        huge[..7].copy_from_slice(b"999999\n");
        assert!(Lines::default().more(&huge).is_err());
        assert!(Lines::default().more(&[b'x'; 512]).is_err());
    }
}
