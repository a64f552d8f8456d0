//! AWS's protocols over HTTP.
