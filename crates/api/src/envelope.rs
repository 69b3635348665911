//! The messages of `CallLocalStream` and `CallLocal`, written and read
//! straight from and to header maps.
//!
//! One call crosses this codec four times, so it works on slices of the
//! received frame and builds no intermediate objects. Tests hold it against
//! the generated types.

mod decode;
mod encode;
mod frame;
mod gzip;
pub(crate) mod proto;

pub use decode::{
    DecodeError, Payload, RequestHead, RequestMessage, ResponseHead, ResponseMessage, StatusHead,
    decode_call_request, decode_call_response, decode_request, decode_response,
};
pub use encode::{
    Origin, Outcome, RequestParts, ResponseParts, call_request, call_response, payload, request,
    response,
};
pub use frame::{Frame, FrameReader, ReadError};

/// Bytes of one piece of a bulk body: few messages, and far below the least
/// message limit of any peer.
pub const PIECE: usize = 64 * 1024;

#[cfg(test)]
mod tests;
