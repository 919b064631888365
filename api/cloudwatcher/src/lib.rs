//! What context `cloudwatcher` serves beside its commands and tables: the queries that its document
//! and its users name.

pub mod decide;
pub mod inbox;
pub mod offers;
pub mod queries;
pub mod receive;
pub mod response;
pub mod stock;
pub mod waiting;
