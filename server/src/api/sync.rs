//! `POST /v1/sync`: carries a round's frames. What they mean is `round`'s.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, StreamExt as _};
use patrol_core::domain::limits;
use patrol_core::sync::frame::{FrameReader, FrameWriter, StreamFault, Volume};
use patrol_core::sync::wire::CONTENT_TYPE;
use tokio::time::Instant;

use super::Host;
use super::extract::in_time;
use super::openapi::{Binary, ForRounds};
use crate::app::App;
use crate::auth::CallingDevice;
use crate::error::ApiError;
use crate::metrics::Way;
use crate::round::{Round, RoundFault};
use crate::share::{Kept, Place};

/// One round of a device.
#[utoipa::path(post, path = "/v1/sync", operation_id = "sync",
    security(("device" = [])),
    request_body(content = inline(Binary), content_type = CONTENT_TYPE, description = "binary: frames as in core/src/sync/protocol.md"),
    responses((status = 200, content_type = CONTENT_TYPE, body = inline(Binary)), ForRounds)
)]
pub(super) async fn round(
    State(host): State<Host>,
    CallingDevice { device, place }: CallingDevice,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    if headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes) != Some(CONTENT_TYPE.as_bytes())
    {
        return Err(ApiError::ContentType);
    }
    let mut taken = Taken::new(Round::new(Arc::clone(&host.app), device), place.keeps());
    let (mut pieces, mut bytes) = (body.into_data_stream(), 0);
    let stall = host.settings.stall;
    while let Some(piece) = in_time(stall, pieces.next()).await? {
        // A request that dies here keeps what its earlier frames have committed.
        let piece = piece.map_err(|_| ApiError::BadRequest("cut"))?;
        bytes += piece.len();
        host.app.metrics.count_bytes(Way::Up, piece.len());
        if bytes > limits::REQUEST_BYTES_MAX {
            return Err(ApiError::TooLarge);
        }
        taken = host
            .in_turn(&place, move |_| taken.take_in(&piece, TURN))
            .await??;
        // In turns that end, so that a device's other requests and its rest come between.
        while taken.has_more {
            let go_on = move |_: &App| taken.take_in(&[], TURN);
            taken = host.in_turn(&place, go_on).await??;
        }
    }
    let Taken {
        round,
        reader,
        kept,
        ..
    } = taken;
    if !reader.is_finished() {
        return Err(ApiError::BadRequest("cut"));
    }
    drop((reader, kept));
    let (round, batch) = host.in_turn(&place, move |_| make(round)).await??;
    let volume = if batch.is_over && batch.bytes() < 4_096 {
        Volume::Little
    } else {
        Volume::Much
    };
    let mut writer = FrameWriter::new(volume);
    let first = write(&mut writer, &batch);
    if batch.is_over {
        let mut whole = first;
        whole.extend(writer.finish());
        host.app.metrics.count_bytes(Way::Down, whole.len());
        return Ok(respond(Body::from(whole)));
    }
    host.app.metrics.count_bytes(Way::Down, first.len());
    Ok(respond(Body::from_stream(rest(
        host,
        (round, writer, place),
        first,
    ))))
}

fn respond(body: Body) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
}

/// How long one turn takes in frames: the one that it has begun is finished.
const TURN: Duration = Duration::from_millis(limits::DEVICE_TURN_MS);

/// What has come of a request.
struct Taken {
    round: Round,
    reader: FrameReader,
    kept: Kept,
    frames: usize,
    /// The last turn ended before there was no whole frame left.
    has_more: bool,
}

impl Taken {
    fn new(round: Round, kept: Kept) -> Self {
        Self {
            round,
            kept,
            reader: FrameReader::new(limits::REQUEST_BYTES_MAX),
            frames: 0,
            has_more: false,
        }
    }

    /// Takes in frames that a piece completes, for so long. Each is answered by one, so their number is bounded too.
    fn take_in(mut self, piece: &[u8], turn: Duration) -> Result<Self, ApiError> {
        let fault = |fault| match fault {
            StreamFault::TooLarge => ApiError::TooLarge,
            StreamFault::Foreign | StreamFault::Damaged => ApiError::BadRequest("malformed"),
        };
        let begun = Instant::now();
        self.reader.push(piece).map_err(fault)?;
        self.has_more = false;
        while let Some(frame) = self.reader.next_frame().map_err(fault)? {
            self.frames += 1;
            if self.frames > limits::REQUEST_FRAMES_MAX {
                return Err(ApiError::TooLarge);
            }
            self.round.receive(&frame)?;
            if begun.elapsed() >= turn {
                self.has_more = true;
                break;
            }
        }
        // Within the turn, so that what is too much is gone before the device's next one.
        self.kept.note(self.reader.kept())?;
        Ok(self)
    }
}

/// Some frames of the response.
struct Batch {
    frames: Vec<(u8, Vec<u8>)>,
    is_over: bool,
}

impl Batch {
    fn bytes(&self) -> usize {
        self.frames.iter().map(|(_, payload)| payload.len()).sum()
    }
}

fn make(mut round: Round) -> Result<(Round, Batch), RoundFault> {
    let mut batch = Batch {
        frames: Vec::new(),
        is_over: false,
    };
    while batch.bytes() < limits::RESPONSE_PIECE_BYTES {
        match round.next_frame()? {
            Some(frame) => batch.frames.push(frame),
            None => {
                batch.is_over = true;
                break;
            }
        }
    }
    Ok((round, batch))
}

fn write(writer: &mut FrameWriter, batch: &Batch) -> Vec<u8> {
    for (kind, payload) in &batch.frames {
        writer.write(*kind, payload);
    }
    writer.take()
}

/// The rest of a long response: each batch is made when the one before has gone out, so a slow line holds one batch in memory.
fn rest(
    host: Host,
    begun: (Round, FrameWriter, Place),
    first: Vec<u8>,
) -> impl stream::Stream<Item = Result<Bytes, std::io::Error>> {
    let first_piece = stream::once(async move { Ok(Bytes::from(first)) });
    let others = stream::unfold(Some(begun), move |state| {
        let host = host.clone();
        async move {
            let (round, mut writer, place) = state?;
            let made = host.in_turn(&place, move |_| make(round)).await;
            // The stream ends without a `done` frame: the phone sees a cut and comes again.
            let Ok(Ok((round, batch))) = made else {
                return Some((Err(std::io::Error::other("unavailable")), None));
            };
            let mut bytes = write(&mut writer, &batch);
            let next = if batch.is_over {
                bytes.extend(writer.finish());
                None
            } else {
                Some((round, writer, place))
            };
            host.app.metrics.count_bytes(Way::Down, bytes.len());
            Some((Ok(Bytes::from(bytes)), next))
        }
    });
    first_piece.chain(others)
}

#[cfg(test)]
mod tests {
    use patrol_core::domain::id::{Epoch, PersonId};
    use patrol_core::sync::wire::{Hello, kind};

    use super::*;
    use crate::app::draw_identity;
    use crate::host::SystemEnvironment;
    use crate::share::Shares;
    use crate::store::memory::MemoryStore;

    /// A kind of frame that is passed over.
    const UNKNOWN: u8 = 200;

    #[test]
    fn frames_that_came_together_are_taken_in_by_turns() {
        let store = MemoryStore::new(draw_identity(&SystemEnvironment));
        let app = App::open(Arc::new(store), Arc::new(SystemEnvironment)).expect("a new model");
        let now = app.environment.now();
        let put = app
            .store
            .put_enrol_code([1; 32], PersonId([1; 8]), now.plus_ms(1));
        put.expect("kept");
        let device = app.store.enrol([1; 32], [2; 32], [3; 32], now);
        let device = device.expect("the model answers").expect("a good code");
        let mut writer = FrameWriter::new(Volume::Little);
        writer.write(kind::HELLO, &Hello::first(Epoch([0; 4])).encode());
        (0..3).for_each(|_| writer.write(UNKNOWN, &[]));
        let place = Shares::default().enter(device.id, Instant::now());
        let kept = place.expect("a place").keeps();
        let mut taken = Taken::new(Round::new(Arc::new(app), device), kept);
        let body = writer.finish();
        let take_in = |taken: Taken, piece: &[u8]| taken.take_in(piece, Duration::ZERO);
        taken = take_in(taken, &body).map_err(drop).expect("a round");
        let mut frames = vec![taken.frames];
        while taken.has_more {
            taken = take_in(taken, &[]).map_err(drop).expect("a round");
            frames.push(taken.frames);
        }
        assert_eq!(frames, [1, 2, 3, 4, 4]);
        assert!(taken.reader.is_finished());
    }
}
