//! Sends what came of a statement: all of it, or as many rows as a portal was asked for. Keeps count
//! of the portals of a connection that wait with the rest.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::{Sink, SinkExt, StreamExt};
use pgwire::api::ClientInfo;
use pgwire::api::portal::{Portal, PortalExecutionState};
use pgwire::api::query::{send_execution_response, send_query_response};
use pgwire::api::results::{QueryResponse, Response, Tag};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::extendedquery::PortalSuspended;

use super::handlers::Prepared;
use super::rows::failure;
use crate::error::QueryError;
use crate::limits;

/// Sends what came of a statement, all of it.
pub(super) async fn send<C>(client: &mut C, response: Response, describe: bool) -> PgWireResult<()>
where
    C: ClientInfo + Sink<PgWireBackendMessage> + Unpin,
    C::Error: Debug,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    let status = client.transaction_status();
    match response {
        Response::Query(rows) => send_query_response(client, rows, describe).await,
        Response::TransactionStart(tag) => {
            client.set_transaction_status(status.to_in_transaction_state());
            send_execution_response(client, tag).await
        }
        Response::TransactionEnd(tag) => {
            client.set_transaction_status(status.to_idle_state());
            send_execution_response(client, tag).await
        }
        Response::Execution(tag) => send_execution_response(client, tag).await,
        _ => Err(QueryError::Failed("a statement came to what is not sent".to_owned()).into()),
    }
}

/// Sends at most so many rows, or all when that is zero; says whether there may be more.
pub(super) async fn send_part<C>(
    client: &mut C,
    rows: &mut QueryResponse,
    most: usize,
) -> PgWireResult<bool>
where
    C: Sink<PgWireBackendMessage> + Unpin,
    C::Error: Debug,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    let mut count = 0;
    while most == 0 || count < most {
        let Some(row) = rows.data_rows().next().await else {
            let tag = Tag::new(rows.command_tag()).with_rows(count);
            send_execution_response(client, tag).await?;
            return Ok(false);
        };
        client.feed(PgWireBackendMessage::DataRow(row?)).await?;
        count += 1;
    }
    client.feed(PgWireBackendMessage::PortalSuspended(PortalSuspended::new())).await?;
    Ok(true)
}

/// The portals of a connection that wait to be asked for more rows.
#[derive(Default)]
pub(super) struct Suspended(Mutex<Vec<Weak<tokio::sync::Mutex<PortalExecutionState>>>>);

impl Suspended {
    /// Takes one in.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn note(&self, portal: &Portal<Prepared>) -> PgWireResult<()> {
        let state = portal.state();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| {
            let Some(other) = other.upgrade().filter(|other| !Arc::ptr_eq(other, &state)) else {
                return false;
            };
            other.try_lock().is_ok_and(|s| matches!(*s, PortalExecutionState::Suspended(_)))
        });
        if all.len() >= limits::PG_CURSORS_MAX {
            let many = format!("the connection has {} open portals, the most allowed", all.len());
            return Err(failure("53400", many, "close some, or read them to their end"));
        }
        all.push(Arc::downgrade(&state));
        Ok(())
    }
}
