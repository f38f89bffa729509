//! The PostgreSQL wire: psql, drivers, Grafana and BI tools. Takes connections of a listener, gives
//! each one a session with its own settings; every statement reads its own snapshot.
//!
//! pgwire speaks the protocol, datafusion-postgres' parts translate types and the catalog. Their
//! ready-made service is not used: it runs whatever it can plan, as anyone, without a bound.

mod cancel;
mod copy;
mod cursor;
mod handlers;
mod numeric;
mod parser;
mod rows;
mod send;
mod session;
mod startup;
mod titles;
mod tls;
mod types;
mod work;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use pgwire::api::cancel::CancelHandler;
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::{ErrorHandler, PgWireServerHandlers, auth};
use pgwire::error::{ErrorInfo, PgWireError};
use pgwire::tokio::process_socket;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::QueryError;
use crate::limits;
use crate::service::QueryService;
use cancel::{Cancels, Stop};
use handlers::Connection;
use startup::{Startup, Verifier};
pub use tls::PgTls;

impl QueryService {
    /// Serves the PostgreSQL wire on a listener until `shutdown`; then running statements have
    /// [`limits::PG_DRAIN_MAX`] to end.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn serve_pg(
        &self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> io::Result<()> {
        let settings = &self.inner.settings.pg;
        let places = Arc::new(Semaphore::new(settings.connections_max));
        let door = Arc::new(Door {
            service: self.clone(),
            cancels: Cancels::default(),
            verifier: settings.login.as_ref().map(Verifier::new),
        });
        let connections = TaskTracker::new();
        // Ends the connections that are left after the drain.
        let end = CancellationToken::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shutdown.cancelled() => break,
            };
            let (socket, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, or a client that left at once: not the end.
                    tracing::warn!(%error, "cannot accept a PostgreSQL connection");
                    tokio::time::sleep(limits::DISCONNECT_POLL).await;
                    continue;
                }
            };
            let place = Arc::clone(&places).try_acquire_owned().ok();
            let (door, end) = (Arc::clone(&door), end.child_token());
            connections.spawn(async move {
                let full = place.is_none();
                tokio::select! {
                    served = door.serve(socket, peer, full, &end) => {
                        if let Err(error) = served {
                            tracing::debug!(%error, %peer, "a PostgreSQL connection ended");
                        }
                    }
                    () = end.cancelled() => {}
                }
                drop(place);
            });
        }
        connections.close();
        if tokio::time::timeout(limits::PG_DRAIN_MAX, connections.wait()).await.is_err() {
            end.cancel();
            connections.wait().await;
        }
        Ok(())
    }
}

/// What all connections share.
struct Door {
    service: QueryService,
    cancels: Cancels,
    verifier: Option<Verifier>,
}

impl Door {
    async fn serve(
        self: Arc<Self>,
        socket: TcpStream,
        peer: SocketAddr,
        full: bool,
        end: &CancellationToken,
    ) -> io::Result<()> {
        let near = peer.ip().to_canonical().is_loopback();
        let refusal = match (full, near) {
            (true, _) => Some(Refusal::Full),
            (false, false) if self.verifier.is_none() => Some(Refusal::NoLogin),
            _ => None,
        };
        let tls = self.service.inner.settings.pg.tls.as_ref().map(|tls| tls.0.clone());
        let plain = if tls.is_some() && !near { Some(Refusal::NoTls) } else { None };
        metrics::gauge!("spanledger_pg_connections").increment(1.0);
        let left = end.child_token();
        let watched = cancel::watch(&socket, left.clone());
        let stop = Arc::new(Stop::new(left));
        let refusals = Refusals { all: refusal, plain };
        let startup = Startup::new(self.verifier.as_ref(), refusals, &self.cancels, &stop);
        let handlers = Handlers {
            connection: Arc::new(Connection::new(self.service.clone(), Arc::clone(&stop))),
            startup: Arc::new(startup),
            cancels: self.cancels.clone(),
        };
        let served = process_socket(socket, tls, handlers).await;
        drop(watched);
        self.cancels.forget(&stop);
        metrics::gauge!("spanledger_pg_connections").decrement(1.0);
        served
    }
}

/// What a connection is told when it starts.
#[derive(Debug, Clone, Copy)]
struct Refusals {
    /// Whatever it is.
    all: Option<Refusal>,
    /// When it is not encrypted.
    plain: Option<Refusal>,
}

/// Why a connection is told to go.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    Full,
    NoLogin,
    NoTls,
}

impl From<Refusal> for PgWireError {
    fn from(refusal: Refusal) -> Self {
        let (code, message, hint) = match refusal {
            Refusal::Full => (
                "53300",
                "too many connections",
                "close some, or raise the setting `pg.connections_max`",
            ),
            Refusal::NoLogin => (
                "28000",
                "connections from other machines need a login, and none is set up",
                "set `pg.user` and `pg.password`",
            ),
            Refusal::NoTls => (
                "28000",
                "connections from other machines must be encrypted",
                "connect with sslmode=require, or better sslmode=verify-full",
            ),
        };
        let mut info = ErrorInfo::new("FATAL".to_owned(), code.to_owned(), message.to_owned());
        info.hint = Some(hint.to_owned());
        PgWireError::UserError(Box::new(info))
    }
}

/// The handlers of one connection.
struct Handlers {
    connection: Arc<Connection>,
    startup: Arc<Startup>,
    cancels: Cancels,
}

impl PgWireServerHandlers for Handlers {
    fn simple_query_handler(&self) -> Arc<impl SimpleQueryHandler> {
        Arc::clone(&self.connection)
    }

    fn extended_query_handler(&self) -> Arc<impl ExtendedQueryHandler> {
        Arc::clone(&self.connection)
    }

    fn startup_handler(&self) -> Arc<impl auth::StartupHandler> {
        Arc::clone(&self.startup)
    }

    fn error_handler(&self) -> Arc<impl ErrorHandler> {
        Arc::new(pgwire::api::NoopHandler)
    }

    fn cancel_handler(&self) -> Arc<impl CancelHandler> {
        Arc::new(self.cancels.clone())
    }
}

/// A failure as PostgreSQL says it.
impl From<QueryError> for PgWireError {
    fn from(error: QueryError) -> Self {
        if error.status() == 500 {
            tracing::error!(%error, "a query failed");
        }
        let mut info =
            ErrorInfo::new("ERROR".to_owned(), error.sqlstate().to_owned(), error.to_string());
        info.hint = Some(error.hint().to_owned());
        PgWireError::UserError(Box::new(info))
    }
}
