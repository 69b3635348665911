//! One caller of the generator, whatever it speaks: a call at a time, each answer checked.

use std::sync::Arc;

use super::connection::{CallError, Connection, Protocol, Target};
use super::grpc::{self, Channel};

/// Somebody who makes one call after the other.
#[derive(Debug)]
pub(crate) enum Caller {
    Http(Box<Connection>),
    Grpc(Box<grpc::Caller>),
}

impl Caller {
    /// One request and its verified response.
    pub(crate) async fn call(&mut self) -> Result<(), CallError> {
        match self {
            Self::Http(connection) => connection.call().await,
            Self::Grpc(caller) => caller.call().await,
        }
    }

    /// How often a connection had to be opened again after an answer.
    pub(super) fn reopened(&self) -> u64 {
        match self {
            Self::Http(connection) => connection.reopened,
            Self::Grpc(_) => 0,
        }
    }
}

/// Makes callers to one target.
#[derive(Debug)]
pub(crate) struct Lines {
    target: Target,
    /// How many HTTP/2 connections gRPC callers share.
    connections: usize,
    channels: Vec<Arc<Channel>>,
}

impl Lines {
    pub(crate) fn new(target: Target, connections: usize) -> Self {
        Self {
            target,
            connections: connections.max(1),
            channels: Vec::new(),
        }
    }

    /// One more caller.
    pub(crate) async fn caller(&mut self) -> Result<Caller, CallError> {
        match self.target.protocol {
            Protocol::Http => {
                let connection = Connection::open(&self.target).await?;
                Ok(Caller::Http(Box::new(connection)))
            }
            Protocol::Grpc => {
                let channel = self.channel().await?;
                let caller = grpc::Caller::new(channel, &self.target);
                Ok(Caller::Grpc(Box::new(caller)))
            }
        }
    }

    /// A new connection until there are enough, then the one with the fewest users.
    pub(super) async fn channel(&mut self) -> Result<Arc<Channel>, CallError> {
        self.channels.retain(|channel| channel.is_open());
        let least = self
            .channels
            .iter()
            .min_by_key(|channel| Arc::strong_count(channel));
        if let Some(channel) = least
            && self.channels.len() >= self.connections
        {
            return Ok(Arc::clone(channel));
        }
        let channel = Arc::new(Channel::open(self.target.address).await?);
        self.channels.push(Arc::clone(&channel));
        Ok(channel)
    }
}
