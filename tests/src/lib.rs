//! What tests of the whole product share. The tests themselves are in `tests/it`, real clients
//! in `clients`.
