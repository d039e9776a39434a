//! What the fuzz targets share: well-formed input to spoil, and what must hold of every allocation.

pub mod allocation;
pub mod edit;
