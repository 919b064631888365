//! The cell of an IP address. A network is none: nothing that Daybook notes comes from one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgValueFormat};
use sqlx::{Arguments as _, Row as _, ValueRef as _};

use super::{Cell, decode_error};
use crate::table::ColumnKind;

/// How Postgres' binary form tells the two kinds of addresses.
const V4: u8 = 2;
const V6: u8 = 3;

impl Cell for IpAddr {
    const KIND: ColumnKind = ColumnKind::Inet;

    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.add(
            cells
                .map(|cell| cell.map(Self::to_string))
                .collect::<Vec<Option<String>>>(),
        )
    }

    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // Kind, bits of the network (all: it is an address), that it is no cidr, bytes, the bytes.
        match self {
            Self::V4(address) => {
                out.extend_from_slice(&[V4, 32, 0, 4]);
                out.extend_from_slice(&address.octets());
            }
            Self::V6(address) => {
                out.extend_from_slice(&[V6, 128, 0, 16]);
                out.extend_from_slice(&address.octets());
            }
        }
        Ok(IsNull::No)
    }

    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
        let value = row.try_get_raw(index)?;
        if value.is_null() {
            return Ok(None);
        }
        let read = match value.format() {
            PgValueFormat::Binary => value.as_bytes().map(decoded),
            PgValueFormat::Text => value.as_str().map(|text| text.parse().ok()),
        };
        let address = read.map_err(|error| decode_error(index, error))?;
        address
            .map(Some)
            .ok_or_else(|| decode_error(index, "no address of one host".into()))
    }

    fn json(&self) -> Value {
        Value::String(self.to_string())
    }
}

fn decoded(bytes: &[u8]) -> Option<IpAddr> {
    match *bytes {
        [V4, 32, _, 4, ref octets @ ..] => <[u8; 4]>::try_from(octets)
            .ok()
            .map(|octets| Ipv4Addr::from(octets).into()),
        [V6, 128, _, 16, ref octets @ ..] => <[u8; 16]>::try_from(octets)
            .ok()
            .map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_from_postgres_binary_form() {
        for text in ["10.0.0.1", "255.255.255.255", "::1", "2001:db8::ff00:42:8329"] {
            let address: IpAddr = text.parse().unwrap();
            let mut out = PgArgumentBuffer::default();
            assert!(matches!(address.encode(&mut out), Ok(IsNull::No)));
            assert_eq!(decoded(&out), Some(address));
            assert_eq!(address.json(), text);
        }
        assert_eq!(decoded(&[V4, 8, 0, 4, 10, 0, 0, 0]), None, "a network");
    }
}
