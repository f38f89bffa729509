//! Bodies that real libraries sent.
