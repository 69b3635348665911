//! Bidirectional streams that said one thing each and then stay open: what they cost is memory.

use bytes::Bytes;
use h2::{RecvStream, SendStream};

use super::caller::Lines;
use super::connection::{self, CallError, Stamp, Target};
use super::grpc::{self, PREFIX};

/// Open streams and the connections they are on.
#[derive(Debug)]
pub(crate) struct Streams {
    open: Vec<(SendStream<Bytes>, RecvStream)>,
    _lines: Lines,
}

impl Streams {
    /// Opens `count` streams over `connections`; each has sent a message and got it back.
    pub(crate) async fn open(
        target: &Target,
        count: usize,
        connections: usize,
    ) -> Result<Self, CallError> {
        let mut lines = Lines::new(target.clone(), connections);
        let mut request = grpc::head(target);
        request
            .headers_mut()
            .insert("dapr-stream", http::HeaderValue::from_static("true"));
        let mut channels = Vec::with_capacity(connections);
        for _ in 0..connections {
            channels.push(lines.channel().await?);
        }
        let mut open = Vec::with_capacity(count);
        let mut stamp = Stamp::new();
        for channel in channels.iter().cycle().take(count) {
            let mut message = grpc::message(&connection::body(target.body));
            stamp.put(message.get_mut(PREFIX..).unwrap_or_default());
            let message = message.freeze();
            let (response, mut sending) = channel.start(request.clone()).await?;
            sending.send_data(message.clone(), false)?;
            let mut receiving = grpc::accepted(response).await?;
            echoed(&mut receiving, &message).await?;
            open.push((sending, receiving));
        }
        Ok(Self {
            open,
            _lines: lines,
        })
    }

    /// Ends every stream from this side; fails unless each ends well on the other.
    pub(crate) async fn end(&mut self) -> Result<(), CallError> {
        for (mut sending, mut receiving) in self.open.drain(..) {
            sending.send_data(Bytes::new(), true)?;
            while let Some(piece) = receiving.data().await {
                let piece = piece?;
                receiving.flow_control().release_capacity(piece.len())?;
            }
            grpc::check(&receiving.trailers().await?.unwrap_or_default())?;
        }
        Ok(())
    }
}

async fn echoed(receiving: &mut RecvStream, sent: &[u8]) -> Result<(), CallError> {
    let mut answer = Vec::with_capacity(sent.len());
    while answer.len() < sent.len() {
        let Some(piece) = receiving.data().await else {
            grpc::check(&receiving.trailers().await?.unwrap_or_default())?;
            return Err(CallError::Closed);
        };
        let piece = piece?;
        answer.extend_from_slice(&piece);
        receiving.flow_control().release_capacity(piece.len())?;
    }
    if answer != sent {
        return Err(CallError::Body {
            got: answer.len(),
            sent: sent.len(),
        });
    }
    Ok(())
}
