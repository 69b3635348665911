//! What an app speaks that does not speak what it is said to: errors name the
//! setting that helps.

use std::{fmt, time::Duration};

use super::{App, Protocol};

/// Time to find out whether an app that says nothing wants TLS.
const PATIENCE: Duration = Duration::from_millis(500);

/// What an app speaks instead of plain HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// TLS.
    Tls,
    /// HTTP/2.
    Http2,
}

impl Spoken {
    /// Judges by the first bytes of an answer that was none; an app that has
    /// never answered and hangs up without a byte is offered TLS.
    pub(super) async fn instead(app: &App, opening: [u8; 4]) -> Option<Self> {
        const ALERT: u8 = 21;
        const HANDSHAKE: u8 = 22;
        const SETTINGS: u8 = 4;
        const GOAWAY: u8 = 7;
        if app.protocol != Protocol::Http {
            return None;
        }
        match opening {
            [ALERT | HANDSHAKE, 3, ..] => Some(Self::Tls),
            [0, 0, _, SETTINGS | GOAWAY] => Some(Self::Http2),
            [0, 0, 0, 0] if app.is_mute() => tokio::time::timeout(PATIENCE, app.answers_in_tls())
                .await
                .is_ok_and(|is_tls| is_tls)
                .then_some(Self::Tls),
            _ => None,
        }
    }
}

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "the app speaks TLS, set --app-protocol https (grpcs for gRPC)",
            Self::Http2 => "the app speaks HTTP/2, set --app-protocol grpc (h2c without gRPC)",
        })
    }
}
