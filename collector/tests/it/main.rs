//! Tests of the way in, against its public face.

mod wal;
