//! Tests of the way in, against its public face.

mod crash;
mod grpc;
mod harness;
mod http;
mod recovery;
mod wal;
