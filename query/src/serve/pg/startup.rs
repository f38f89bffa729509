//! The first messages of a connection: who it is, and what the server says of itself. With a login
//! it must prove the password by SCRAM-SHA-256 (RFC 7677); without one it is trusted.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use futures::Sink;
use pgwire::api::auth::sasl::SASLAuthStartupHandler;
use pgwire::api::auth::sasl::scram::{
    SCRAM_ITERATIONS, ScramAuth, gen_salted_password, random_nonce,
};
use pgwire::api::auth::{
    AuthSource, DefaultServerParameterProvider, LoginInfo, Password, ServerParameterProvider,
    StartupHandler, finish_authentication, protocol_negotiation,
    save_startup_parameters_to_metadata,
};
use pgwire::api::{
    ClientInfo, PgWireConnectionState, PidSecretKeyGenerator, RandomPidSecretKeyGenerator,
};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};

use super::Refusals;
use super::cancel::{Cancels, Stop};
use crate::session::functions::SERVER_VERSION;
use crate::settings::PgLogin;

/// One source of ids for all connections, so that a process id names one of them.
static IDS: LazyLock<Arc<RandomPidSecretKeyGenerator>> = LazyLock::new(Arc::default);

/// What proves a login: the salted hash, never the password.
#[derive(Debug, Clone)]
pub(super) struct Verifier(Arc<Secret>);

struct Secret {
    user: String,
    salt: Vec<u8>,
    salted: Vec<u8>,
}

impl Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Verifier {
    pub(super) fn new(login: &PgLogin) -> Self {
        let salt = random_nonce().into_bytes();
        let salted = gen_salted_password(&login.password, &salt, SCRAM_ITERATIONS);
        Self(Arc::new(Secret { user: login.user.clone(), salt, salted }))
    }
}

#[async_trait]
impl AuthSource for Verifier {
    async fn get_password(&self, login: &LoginInfo) -> PgWireResult<Password> {
        let user = login.user().unwrap_or_default();
        if user != self.0.user {
            return Err(PgWireError::InvalidPassword(user.to_owned()));
        }
        Ok(Password::new(Some(self.0.salt.clone()), self.0.salted.clone()))
    }
}

/// The start of one connection.
pub(super) struct Startup {
    refusals: Refusals,
    cancels: Cancels,
    stop: Arc<Stop>,
    scram: Option<SASLAuthStartupHandler<Parameters>>,
}

impl Startup {
    pub(super) fn new(
        verifier: Option<&Verifier>,
        refusals: Refusals,
        cancels: &Cancels,
        stop: &Arc<Stop>,
    ) -> Self {
        let scram = verifier.map(|verifier| {
            SASLAuthStartupHandler::new(Arc::new(Parameters))
                .with_pid_secret_key_generator(Arc::clone(&IDS) as Arc<dyn PidSecretKeyGenerator>)
                .with_scram(ScramAuth::new(Arc::new(verifier.clone())))
        });
        Self { refusals, cancels: cancels.clone(), stop: Arc::clone(stop), scram }
    }
}

#[async_trait]
impl StartupHandler for Startup {
    async fn on_startup<C>(
        &self,
        client: &mut C,
        message: PgWireFrontendMessage,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let plain = self.refusals.plain.filter(|_| !client.is_secure());
        if let Some(refusal) = self.refusals.all.or(plain) {
            return Err(refusal.into());
        }
        if let Some(scram) = &self.scram {
            scram.on_startup(client, message).await?;
        } else if let PgWireFrontendMessage::Startup(startup) = &message {
            protocol_negotiation(client, startup).await?;
            save_startup_parameters_to_metadata(client, startup);
            let (pid, secret) = IDS.generate(client);
            client.set_pid_and_secret_key(pid, secret);
            finish_authentication(client, &Parameters).await?;
        }
        if matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            self.cancels.enter(client.pid_and_secret_key(), &self.stop);
        }
        Ok(())
    }
}

/// What the server says of itself.
struct Parameters;

impl ServerParameterProvider for Parameters {
    fn server_parameters<C: ClientInfo>(&self, client: &C) -> Option<HashMap<String, String>> {
        let mut parameters = DefaultServerParameterProvider::default();
        SERVER_VERSION.clone_into(&mut parameters.server_version);
        "UTC".clone_into(&mut parameters.time_zone);
        parameters.is_superuser = false;
        parameters.default_transaction_read_only = true;
        parameters.server_parameters(client)
    }
}
