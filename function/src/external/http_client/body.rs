//! Reads the bodies of responses, with limits on their size and speed.

use ::http::{Response, response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout_at;

use crate::external::MOST_BYTES;
use crate::external::turn::{Large, Turn};

/// Size of a large response, in bytes. Reading more requires the permission of a turn.
const LARGE: usize = 1 << 20;

/// The reason why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("more than 1 MiB of the answer have come, and the rest comes too slowly")]
    TooSlow,
    #[error("the answer has more than {} MiB", .0 >> 20)]
    TooLarge(usize),
    #[error(transparent)]
    Connection(#[from] hyper::Error),
}

/// Reads a body. With a turn, a large body waits for the permission. Without a turn, a large body is refused.
pub async fn collected(
    response: Response<Incoming>,
    turn: Option<&Turn>,
) -> Result<(response::Parts, Bytes), BodyError> {
    let (parts, mut body) = response.into_parts();
    let most = if turn.is_some() { MOST_BYTES } else { LARGE };
    let (mut bytes, mut large) = (BytesMut::new(), None::<Large>);
    loop {
        let frame = match &large {
            Some(large) => {
                let frame = timeout_at(large.deadline(bytes.len()), body.frame()).await;
                frame.map_err(|_| BodyError::TooSlow)?
            }
            None => body.frame().await,
        };
        let Some(frame) = frame else { return Ok((parts, bytes.freeze())) };
        let Ok(data) = frame?.into_data() else { continue };
        let size = bytes.len() + data.len();
        if size > most {
            return Err(BodyError::TooLarge(most));
        }
        if size > LARGE
            && large.is_none()
            && let Some(turn) = turn
        {
            large = Some(turn.grow(size).await);
        }
        bytes.extend_from_slice(&data);
    }
}
