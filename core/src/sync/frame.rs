//! Frames in a compressed stream: `type ‖ length ‖ payload ‖ CRC-32`, flushed one by one, so that a connection that
//! dies costs at most the frame in flight.
//!
//! It knows nothing of what frames mean.

use zstd::stream::raw::{
    CParameter, DParameter, Decoder, Encoder, InBuffer, Operation as _, OutBuffer,
};

use crate::domain::limits;

/// The first bytes of every request and response.
pub const MAGIC: [u8; 4] = *b"XCN1";

/// One frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// What it is; the numbers are those of `protocol.md`.
    pub kind: u8,
    /// CBOR.
    pub payload: Vec<u8>,
}

/// Why a stream cannot be read further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamFault {
    /// It is not of this protocol: a captive portal, a proxy's error page.
    Foreign,
    /// Damaged: compression, length or checksum.
    Damaged,
    /// Larger than allowed.
    TooLarge,
}

/// Writes frames into a compressed stream.
pub struct FrameWriter {
    encoder: Encoder<'static>,
    out: Vec<u8>,
}

impl std::fmt::Debug for FrameWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameWriter")
            .field("out", &self.out.len())
            .finish_non_exhaustive()
    }
}

/// How much a stream will probably hold: sets the memory that compression takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Volume {
    /// A few hundred bytes.
    Little,
    /// Pages or a full outbox.
    Much,
}

impl FrameWriter {
    /// Begins a stream.
    pub fn new(volume: Volume) -> Self {
        let mut encoder = Encoder::new(3).expect("zstd allocates a context");
        let window_log = match volume {
            Volume::Little => 12,
            Volume::Much => limits::ZSTD_WINDOW_LOG_MAX,
        };
        encoder
            .set_parameter(CParameter::WindowLog(window_log))
            .expect("a window within zstd's bounds");
        encoder
            .set_parameter(CParameter::ContentSizeFlag(false))
            .expect("a known parameter");
        Self {
            encoder,
            out: MAGIC.to_vec(),
        }
    }

    /// Writes one frame and flushes.
    pub fn write(&mut self, kind: u8, payload: &[u8]) {
        let mut head = vec![kind];
        let mut len = payload.len();
        while len >= 0x80 {
            head.push(0x80 | low_bits(len));
            len >>= 7;
        }
        head.push(low_bits(len));
        let mut sum = crc32fast::Hasher::new();
        sum.update(&[kind]);
        sum.update(payload);
        self.compress(&head);
        self.compress(payload);
        self.compress(&sum.finalize().to_be_bytes());
        self.drain(|encoder, out| encoder.flush(out));
    }

    /// What has been written since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Ends the stream and returns what is left.
    pub fn finish(mut self) -> Vec<u8> {
        self.drain(|encoder, out| encoder.finish(out, true));
        self.out
    }

    fn compress(&mut self, bytes: &[u8]) {
        let mut input = InBuffer::around(bytes);
        while input.pos() < bytes.len() {
            let mut buffer = [0; PIECE];
            let mut output = OutBuffer::around(&mut buffer[..]);
            self.encoder
                .run(&mut input, &mut output)
                .expect("zstd compresses into memory");
            self.out.extend_from_slice(output.as_slice());
        }
    }

    fn drain(
        &mut self,
        mut step: impl FnMut(&mut Encoder<'static>, &mut OutBuffer<'_, [u8]>) -> std::io::Result<usize>,
    ) {
        loop {
            let mut buffer = [0; PIECE];
            let mut output = OutBuffer::around(&mut buffer[..]);
            let left = step(&mut self.encoder, &mut output).expect("zstd flushes into memory");
            self.out.extend_from_slice(output.as_slice());
            if left == 0 {
                return;
            }
        }
    }
}

/// Bytes that are packed or unpacked at a time.
const PIECE: usize = 16 * 1024;

/// Bytes of a frame above which it takes along the memory in which it was put together, so that it is not there twice, nor kept for what
/// follows.
const LARGE: usize = 64 * 1024;

/// Reads frames out of a compressed stream that arrives in pieces of any size. It unpacks no more than the next frame needs.
pub struct FrameReader {
    decoder: Decoder<'static>,
    /// Bytes of the magic seen so far.
    magic: usize,
    /// What has arrived.
    packed: Vec<u8>,
    /// How much of it has been unpacked.
    unpacked: usize,
    /// The decoder may hold more than it gave.
    has_more: bool,
    plain: Vec<u8>,
    /// How much of it frames have been made of.
    taken: usize,
    read: usize,
    total_max: usize,
    is_over: bool,
}

impl std::fmt::Debug for FrameReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameReader")
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}

impl FrameReader {
    /// Reads a stream of at most so many bytes, decompressed.
    pub fn new(total_max: usize) -> Self {
        let mut decoder = Decoder::new().expect("zstd allocates a context");
        decoder
            .set_parameter(DParameter::WindowLogMax(limits::ZSTD_WINDOW_LOG_MAX))
            .expect("a window within zstd's bounds");
        Self {
            decoder,
            magic: 0,
            packed: Vec::new(),
            unpacked: 0,
            has_more: false,
            plain: Vec::new(),
            taken: 0,
            read: 0,
            total_max,
            is_over: false,
        }
    }

    /// Takes in a piece of the stream.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), StreamFault> {
        let expected = MAGIC.get(self.magic..).unwrap_or_default();
        let head = piece
            .get(..expected.len().min(piece.len()))
            .unwrap_or_default();
        if !expected.starts_with(head) {
            return Err(StreamFault::Foreign);
        }
        self.magic += head.len();
        self.packed
            .extend_from_slice(piece.get(head.len()..).unwrap_or_default());
        Ok(())
    }

    /// The next whole frame, if it has arrived.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, StreamFault> {
        loop {
            if let Some(frame) = self.whole_frame()? {
                return Ok(Some(frame));
            }
            if !self.unpack()? {
                return Ok(None);
            }
        }
    }

    /// Unpacks some more. Returns whether there was anything.
    fn unpack(&mut self) -> Result<bool, StreamFault> {
        let rest = self.packed.get(self.unpacked..).unwrap_or_default();
        if rest.is_empty() && !self.has_more {
            // Nothing is kept for a client that says no more for a while.
            (self.packed, self.unpacked) = (Vec::new(), 0);
            if self.plain.len() == self.taken {
                (self.plain, self.taken) = (Vec::new(), 0);
            }
            return Ok(false);
        }
        // Nothing follows the end of the stream.
        if self.is_over {
            return Err(StreamFault::Damaged);
        }
        let mut input = InBuffer::around(rest);
        let mut buffer = [0; PIECE];
        let mut output = OutBuffer::around(&mut buffer[..]);
        let hint = self
            .decoder
            .run(&mut input, &mut output)
            .map_err(|_| StreamFault::Damaged)?;
        self.unpacked += input.pos();
        let written = output.as_slice();
        self.read += written.len();
        if self.read > self.total_max {
            return Err(StreamFault::TooLarge);
        }
        self.is_over = hint == 0;
        self.has_more = written.len() == PIECE && !self.is_over;
        // What frames have been made of makes room.
        self.plain.drain(..std::mem::take(&mut self.taken));
        self.plain.extend_from_slice(written);
        Ok(true)
    }

    /// A frame out of what has been unpacked.
    fn whole_frame(&mut self) -> Result<Option<Frame>, StreamFault> {
        let plain = self.plain.get(self.taken..).unwrap_or_default();
        let Some((kind, rest)) = plain.split_first() else {
            return Ok(None);
        };
        let Some((len, used)) = uvarint(rest)? else {
            return Ok(None);
        };
        if len > limits::FRAME_BYTES_MAX {
            return Err(StreamFault::TooLarge);
        }
        let begin = self.taken + 1 + used;
        let body = rest.get(used..).unwrap_or_default();
        let (Some(payload), Some(sum)) = (body.get(..len), body.get(len..len + 4)) else {
            // As much as it will be, with the piece that ends it, instead of twice as much each time: memory that nothing is written to is
            // not taken.
            let whole = begin + len + 4 + PIECE;
            self.plain
                .reserve_exact(whole.saturating_sub(self.plain.len()));
            return Ok(None);
        };
        let mut expected = crc32fast::Hasher::new();
        expected.update(&[*kind]);
        expected.update(payload);
        if sum != expected.finalize().to_be_bytes() {
            return Err(StreamFault::Damaged);
        }
        let kind = *kind;
        let payload = if len > LARGE {
            self.taken = 0;
            let behind = self.plain.split_off(begin + len + 4);
            let mut payload = std::mem::replace(&mut self.plain, behind);
            payload.truncate(begin + len);
            payload.drain(..begin);
            payload
        } else {
            let payload = payload.to_vec();
            self.taken = begin + len + 4;
            payload
        };
        Ok(Some(Frame { kind, payload }))
    }

    /// Bytes kept for what is to come: the frame that is not whole yet, and what unpacking may have to look back to.
    pub fn kept(&self) -> usize {
        let window = self.read.min(1 << limits::ZSTD_WINDOW_LOG_MAX);
        self.packed.len() + self.plain.len() - self.taken + window
    }

    /// Whether the stream came to its proper end with nothing left over.
    pub fn is_finished(&self) -> bool {
        self.is_over && self.plain.len() == self.taken && self.packed.len() == self.unpacked
    }
}

/// The lowest seven bits.
fn low_bits(value: usize) -> u8 {
    u8::try_from(value & 0x7f).unwrap_or(0)
}

fn uvarint(bytes: &[u8]) -> Result<Option<(usize, usize)>, StreamFault> {
    let mut value = 0usize;
    for (place, byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(Some((value, place + 1)));
        }
    }
    if bytes.len() >= 5 {
        Err(StreamFault::TooLarge)
    } else {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Vec<u8> {
        let mut writer = FrameWriter::new(Volume::Much);
        writer.write(1, b"hello");
        writer.write(2, &[7; 70_000]);
        let mut bytes = writer.take();
        bytes.extend(writer.finish());
        bytes
    }

    fn read(bytes: &[u8], piece: usize) -> Result<(Vec<Frame>, bool), StreamFault> {
        let mut reader = FrameReader::new(1 << 20);
        let mut frames = Vec::new();
        for piece in bytes.chunks(piece) {
            reader.push(piece)?;
            while let Some(frame) = reader.next_frame()? {
                frames.push(frame);
            }
        }
        Ok((frames, reader.is_finished()))
    }

    #[test]
    fn frames_arrive_whole_in_pieces_of_any_size() {
        for piece in [1, 2, 3, 7, 1_000, 1 << 20] {
            let (frames, is_finished) = read(&stream(), piece).expect("an intact stream");
            assert_eq!(
                frames
                    .iter()
                    .map(|frame| (frame.kind, frame.payload.len()))
                    .collect::<Vec<_>>(),
                [(1, 5), (2, 70_000)]
            );
            assert!(is_finished);
        }
    }

    #[test]
    fn a_reader_says_what_it_keeps_of_a_frame_that_is_not_whole_and_looks_back_on() {
        let mut writer = FrameWriter::new(Volume::Much);
        writer.write(1, &[7; 3 << 20]);
        let bytes = writer.finish();
        // Without the sum behind it.
        let (begun, rest) = bytes.split_at(bytes.len() - 8);
        let mut reader = FrameReader::new(8 << 20);
        reader.push(begun).expect("intact");
        assert_eq!(reader.next_frame(), Ok(None));
        let window = 1 << limits::ZSTD_WINDOW_LOG_MAX;
        assert!(reader.kept() > (2 << 20) + window, "{}", reader.kept());
        reader.push(rest).expect("intact");
        assert!(reader.next_frame().is_ok_and(|frame| frame.is_some()));
        assert_eq!(reader.next_frame(), Ok(None));
        assert_eq!(reader.kept(), window);
    }

    #[test]
    fn a_large_frame_leaves_no_memory_behind_for_what_follows() {
        let payload: Vec<u8> = (0..=250).cycle().take(3_000_000).collect();
        let mut writer = FrameWriter::new(Volume::Much);
        writer.write(1, b"before");
        writer.write(2, &payload);
        writer.write(3, b"after");
        let bytes = writer.take();
        let mut reader = FrameReader::new(8 << 20);
        // The last frame is not whole.
        reader.push(&bytes[..bytes.len() - 3]).expect("intact");
        let next = |reader: &mut FrameReader| reader.next_frame().expect("intact");
        assert_eq!(next(&mut reader).expect("whole").payload, b"before");
        let large = next(&mut reader).expect("whole").payload;
        assert!(large == payload && large.capacity() < payload.len() + LARGE);
        assert_eq!(next(&mut reader), None);
        assert!(reader.plain.capacity() < LARGE);
        reader.push(&bytes[bytes.len() - 3..]).expect("intact");
        assert_eq!(next(&mut reader).expect("whole").payload, b"after");
    }

    #[test]
    fn of_frames_that_arrive_together_one_is_unpacked_at_a_time() {
        let mut writer = FrameWriter::new(Volume::Much);
        (0..100).for_each(|_| writer.write(1, &[7; 60_000]));
        let bytes = writer.finish();
        assert!(bytes.len() < 10_000, "{}", bytes.len());
        let mut reader = FrameReader::new(8 << 20);
        reader.push(&bytes).expect("intact");
        let mut frames = 0;
        while let Some(frame) = reader.next_frame().expect("intact") {
            assert_eq!(frame.payload.len(), 60_000);
            assert!(reader.plain.len() < 80_000, "{}", reader.plain.len());
            frames += 1;
        }
        assert_eq!((frames, reader.is_finished()), (100, true));
    }

    #[test]
    fn a_cut_stream_yields_the_frames_before_the_cut() {
        let mut writer = FrameWriter::new(Volume::Little);
        writer.write(1, b"first");
        let first = writer.take();
        writer.write(2, b"second");
        assert_eq!(
            read(&first, 5).map(|(frames, done)| (frames.len(), done)),
            Ok((1, false))
        );
    }

    #[test]
    fn a_login_page_is_foreign_and_a_flipped_bit_is_damage() {
        assert_eq!(
            read(b"<html>please sign in</html>", 10),
            Err(StreamFault::Foreign)
        );
        let mut damaged = 0;
        let whole = stream();
        for place in 4..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x10;
            match read(&bytes, 1 << 20) {
                Ok((frames, is_finished)) => assert!(
                    frames.len() < 2
                        || !is_finished
                        || frames == read(&whole, 99).expect("intact").0
                ),
                Err(_) => damaged += 1,
            }
        }
        assert!(damaged > 0);
    }

    #[test]
    fn what_follows_the_end_of_the_stream_is_damage() {
        let longer = [stream(), b"more".to_vec()].concat();
        assert_eq!(read(&longer, longer.len()), Err(StreamFault::Damaged));
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let mut encoder = FrameWriter::new(Volume::Much);
        // Of a kind, and of five megabytes.
        encoder.compress(&[1, 0x80, 0x80, 0xc0, 2]);
        encoder.compress(&vec![0; 8 << 20]);
        assert_eq!(read(&encoder.finish(), 1 << 20), Err(StreamFault::TooLarge));
    }
}
