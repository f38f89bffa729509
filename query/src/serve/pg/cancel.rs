//! Stopping statements: by a CancelRequest on another connection, which names the process id and
//! the secret of the one to stop, and because the client has gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use pgwire::api::cancel::CancelHandler;
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::startup::SecretKey;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::limits;

/// Stops the statements of one connection.
pub(super) struct Stop {
    /// Cancelled when the client has gone.
    left: CancellationToken,
    running: Mutex<CancellationToken>,
}

impl Stop {
    pub(super) fn new(left: CancellationToken) -> Self {
        let running = Mutex::new(left.child_token());
        Self { left, running }
    }

    /// The token of the statement that starts now.
    pub(super) fn next(&self) -> CancellationToken {
        let token = self.left.child_token();
        token.clone_into(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner));
        token
    }

    /// Stops the statement that runs.
    fn now(&self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }
}

type Key = (i32, Bytes);

/// The connections that can be told to stop, by process id and secret.
#[derive(Clone, Default)]
pub(super) struct Cancels(Arc<Mutex<HashMap<Key, Arc<Stop>>>>);

impl Cancels {
    /// Takes a connection in, once it has its id and secret.
    pub(super) fn enter(&self, (pid, secret): (i32, SecretKey), stop: &Arc<Stop>) {
        self.map().insert((pid, secret.to_bytes()), Arc::clone(stop));
    }

    /// Lets a connection go.
    pub(super) fn forget(&self, stop: &Arc<Stop>) {
        self.map().retain(|_, other| !Arc::ptr_eq(other, stop));
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Key, Arc<Stop>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CancelHandler for Cancels {
    async fn on_cancel_request(&self, request: CancelRequest) {
        let key = (request.pid, request.secret_key.to_bytes());
        let stop = self.map().get(&key).cloned();
        if let Some(stop) = stop {
            stop.now();
        }
    }
}

/// The message by which a client says good-bye.
const TERMINATE: &[u8] = b"X\0\0\0\x04";

/// Cancels `left` when the client closes its side or says good-bye; ends when dropped. While a
/// statement runs nobody reads the socket, so that its end would show only with the first row sent.
pub(super) fn watch(socket: &TcpStream, left: CancellationToken) -> Option<AbortOnDropHandle<()>> {
    let socket = std::os::fd::AsFd::as_fd(socket).try_clone_to_owned().ok()?;
    let socket = TcpStream::from_std(socket.into()).ok()?;
    Some(AbortOnDropHandle::new(tokio::spawn(async move {
        while !has_left(&socket).await {}
        left.cancel();
    })))
}

/// Waits for something on the socket, and says whether it is the end.
async fn has_left(socket: &TcpStream) -> bool {
    match socket.ready(Interest::READABLE).await {
        Ok(ready) if !ready.is_read_closed() => {}
        _ => return true,
    }
    let mut next = [0; TERMINATE.len() + 1];
    match timeout(limits::DISCONNECT_POLL, socket.peek(&mut next)).await {
        Ok(Ok(0) | Err(_)) => true,
        Ok(Ok(length)) if &next[..length] == TERMINATE => true,
        // A message waits to be read: look again later.
        Ok(Ok(_)) => {
            sleep(limits::DISCONNECT_POLL).await;
            false
        }
        // What had come was read meanwhile.
        Err(_) => false,
    }
}
