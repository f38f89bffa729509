//! Tests of the way in, against its public face.

mod grpc;
mod harness;
mod http;
mod recovery;
mod wal;
