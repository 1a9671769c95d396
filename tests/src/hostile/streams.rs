//! Requests that want memory or time before anything is judged: too large, bombs, compressions that are not taken.
//!
//! They need a valid token, for without one no body is read; they say nothing that could be admitted.

use patrol_core::domain::id::Epoch;
use patrol_core::domain::limits;
use patrol_core::sync::frame::{FrameWriter, MAGIC, Volume};
use patrol_core::sync::wire::{Hello, kind};
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use zstd::stream::raw::{CParameter, Encoder, InBuffer, Operation as _, OutBuffer};

use super::{Answer, Blow, post, round};

/// A kind of frame that a reader passes over.
const SKIPPED: u8 = 200;
const MEGABYTE: usize = 1024 * 1024;

/// All of them.
pub(crate) fn streams(token: &str, epoch: Epoch) -> Vec<Blow> {
    let too_large = || Answer::Error(413, "too_large".to_owned());
    let malformed = || Answer::Error(400, "malformed".to_owned());
    let blow = |name, request, answer| Blow {
        name,
        request,
        pushed: None,
        answer,
    };
    let begun = |volume| begun(volume, epoch);
    let sent = |body: &[u8]| round(Some(token), body);
    let long = [b' '; limits::JSON_BYTES_MAX + 1];
    let json = post("/v1/session", "application/json", None, &long);
    vec![
        blow(
            "a bomb of zeros",
            sent(&bomb(begun(Volume::Little))),
            too_large(),
        ),
        blow(
            "a frame beyond its size",
            sent(&long_frame(begun(Volume::Little))),
            too_large(),
        ),
        blow(
            "the largest frame, to its end",
            sent(&largest_frame(epoch)),
            Answer::Round,
        ),
        blow(
            "a body beyond its size",
            sent(&noise(begun(Volume::Much))),
            too_large(),
        ),
        blow("JSON beyond its size", json, too_large()),
        blow("a window beyond memory", sent(&wide_window()), malformed()),
        blow("gzip", gzipped(token), malformed()),
        blow("noise", sent(&[0xff; 1_000]), malformed()),
    ]
}

fn begun(volume: Volume, epoch: Epoch) -> FrameWriter {
    let mut writer = FrameWriter::new(volume);
    writer.write(kind::HELLO, &Hello::first(epoch).encode());
    writer
}

/// A frame as large as one may be, in some hundred bytes.
pub(super) fn largest_frame(epoch: Epoch) -> Vec<u8> {
    let mut writer = begun(Volume::Much, epoch);
    writer.write(SKIPPED, &vec![0; limits::FRAME_BYTES_MAX]);
    finished(writer)
}

/// Some kilobytes that become 64 megabytes.
fn bomb(mut writer: FrameWriter) -> Vec<u8> {
    let zeros = vec![0; 4 * MEGABYTE];
    (0..16).for_each(|_| writer.write(SKIPPED, &zeros));
    finished(writer)
}

fn long_frame(mut writer: FrameWriter) -> Vec<u8> {
    writer.write(SKIPPED, &vec![0; limits::FRAME_BYTES_MAX + 1]);
    finished(writer)
}

/// Nothing that compresses, and a little more than a request may hold.
fn noise(mut writer: FrameWriter) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut piece = vec![0; MEGABYTE];
    for _ in 0..limits::REQUEST_BYTES_MAX / MEGABYTE {
        rng.fill_bytes(&mut piece);
        writer.write(SKIPPED, &piece);
    }
    finished(writer)
}

fn finished(mut writer: FrameWriter) -> Vec<u8> {
    let mut bytes = writer.take();
    bytes.extend(writer.finish());
    bytes
}

/// A stream whose reader would have to keep 128 megabytes.
fn wide_window() -> Vec<u8> {
    let mut encoder = Encoder::new(1).expect("zstd allocates a context");
    for parameter in [
        CParameter::WindowLog(27),
        CParameter::ContentSizeFlag(false),
    ] {
        encoder.set_parameter(parameter).expect("a known parameter");
    }
    let mut buffer = vec![0; 64 * 1024];
    let mut output = OutBuffer::around(&mut buffer[..]);
    let mut input = InBuffer::around(b"wide");
    encoder.run(&mut input, &mut output).expect("into memory");
    encoder.finish(&mut output, true).expect("into memory");
    [&MAGIC, output.as_slice()].concat()
}

/// The head of a gzip stream, announced as such: nothing is unpacked that the protocol does not know.
fn gzipped(token: &str) -> Vec<u8> {
    let body = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xc1];
    let request = round(Some(token), &body);
    let head = request.len() - body.len() - 2;
    let announced: &[u8] = b"content-encoding: gzip\r\n";
    [&request[..head], announced, &request[head..]].concat()
}
