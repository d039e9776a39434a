//! The body of an answer: pieces, and how it ends.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Sleep, sleep};

/// How a body ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum End {
    #[default]
    Whole,
    /// The connection breaks.
    Broken,
    /// The server ends it after a second, as it ends a watch.
    Later,
}

pub struct Pieces {
    pieces: VecDeque<Bytes>,
    end: End,
    open: Option<Pin<Box<Sleep>>>,
}

impl Pieces {
    pub fn new(body: Vec<u8>, size: usize, end: End) -> Self {
        let body = Bytes::from(body);
        let pieces = (0..body.len()).step_by(size).map(|at| body.slice(at..body.len().min(at + size))).collect();
        let open = (end == End::Later).then(|| Box::pin(sleep(Duration::from_secs(1))));
        Self { pieces, end, open }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if let Some(piece) = self.pieces.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match (self.end, &mut self.open) {
            (End::Broken, _) => {
                self.end = End::Whole;
                Poll::Ready(Some(Err(std::io::Error::other("the connection breaks"))))
            }
            (End::Later, Some(open)) => open.as_mut().poll(context).map(|()| None),
            _ => Poll::Ready(None),
        }
    }
}
