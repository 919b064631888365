//! The currencies in which an order can be paid, and how finely each divides.

use rust_decimal::Decimal;

use domain::money::CENTS_DECIMALS;
use domain::text::Unfit;

/// ISO 4217 codes of the national and common currencies in circulation, sorted. Funds, metals,
/// units of account and test codes are left out: no supplier is paid in them.
pub const CODES: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BHD", "BIF", "BMD", "BND",
    "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CLP", "CNY", "COP", "CRC", "CUP", "CVE",
    "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD",
    "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD", "JPY",
    "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LYD", "MAD",
    "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO",
    "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF",
    "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB",
    "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VED", "VES", "VND",
    "VUV", "WST", "XAF", "XCD", "XCG", "XOF", "XPF", "YER", "ZAR", "ZMW", "ZWG",
];

/// Codes that ISO 4217 has withdrawn since 2000, sorted: nothing is entered in them any more.
pub const FORMER: &[&str] = &[
    "ADP", "AFA", "ANG", "AOR", "ATS", "AZM", "BEF", "BGL", "BGN", "BYB", "BYR", "CSD", "CUC", "CYP", "DEM", "EEK",
    "ESP", "FIM", "FRF", "GHC", "GRD", "GWP", "HRK", "IEP", "ITL", "LTL", "LUF", "LVL", "MGF", "MRO", "MTL", "MZM",
    "NLG", "PTE", "ROL", "RUR", "SDD", "SIT", "SKK", "SLL", "SRG", "STD", "TJR", "TMM", "TPE", "TRL", "VEB", "VEF",
    "XEU", "YUM", "ZMK", "ZWD", "ZWL", "ZWN", "ZWR",
];

/// Whether this is the code of a currency in circulation, in capitals.
#[must_use]
pub fn is_code(code: &str) -> bool {
    CODES.binary_search(&code).is_ok()
}

/// Those whose amounts are whole, sorted: ISO 4217 gives them no minor unit.
const WHOLE: &[&str] = &[
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF",
];
/// Those whose minor unit is a thousandth, sorted.
const THOUSANDTHS: &[&str] = &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// Decimals of an amount in the currency of this code, as ISO 4217 has its minor unit: 0, 2 or 3.
#[must_use]
pub fn decimals(code: &str) -> u32 {
    match code {
        code if WHOLE.binary_search(&code).is_ok() => 0,
        code if THOUSANDTHS.binary_search(&code).is_ok() => 3,
        _ => 2,
    }
}

/// Why amounts cannot be in a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Barred {
    /// It is none in circulation.
    Unknown,
    /// It divides more finely than the columns that hold amounts.
    Finer { code: String, decimals: u32 },
}

impl From<Barred> for Unfit {
    fn from(barred: Barred) -> Self {
        match barred {
            Barred::Unknown => Self::Form("is no ISO 4217 code in circulation; use three capitals such as EUR"),
            Barred::Finer { code, decimals } => Self::Inside(format!(
                "is {code}, whose amounts have {decimals} decimals; amounts are kept with {CENTS_DECIMALS}, so agree on \
                 another currency"
            )),
        }
    }
}

/// Whether amounts can be in the currency of this code, for who has words of their own for why not.
///
/// # Errors
/// [`Barred`].
pub fn usable(code: &str) -> Result<(), Barred> {
    match decimals(code) {
        _ if !is_code(code) => Err(Barred::Unknown),
        decimals if decimals > CENTS_DECIMALS => Err(Barred::Finer {
            code: code.to_owned(),
            decimals,
        }),
        _ => Ok(()),
    }
}

/// The same, as it is said of a field.
///
/// # Errors
/// What is wrong with the code.
pub fn check(code: &str) -> Result<(), Unfit> {
    usable(code).map_err(Unfit::from)
}

/// Whether an amount has no more decimals than the currency of this code.
///
/// # Errors
/// How many it may have.
pub fn divides(code: &str, amount: Decimal) -> Result<(), Unfit> {
    let decimals = decimals(code).min(CENTS_DECIMALS);
    match amount.normalize().scale() {
        scale if scale <= decimals => Ok(()),
        _ if decimals == 0 => Err(Unfit::Inside(format!(
            "must be whole: amounts in {code} have no decimals"
        ))),
        _ => Err(Unfit::Inside(format!(
            "must have at most {decimals} decimals in {code}"
        ))),
    }
}

/// Whether there is a currency where there is an amount.
///
/// # Errors
/// That it is missing.
pub fn named(code: Option<&str>, amount: Option<Decimal>) -> Result<(), Unfit> {
    match (code, amount) {
        (None, Some(_)) => Err(Unfit::Form(
            "is missing: an amount is in a currency; use three capitals such as EUR",
        )),
        (Some(_), _) | (None, None) => Ok(()),
    }
}

/// As [`divides`], where both may be absent.
///
/// # Errors
/// As [`divides`].
pub fn divides_named(code: Option<&str>, amount: Option<Decimal>) -> Result<(), Unfit> {
    match (code, amount) {
        (Some(code), Some(amount)) => divides(code, amount),
        (None | Some(_), _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_sorted_and_of_three_capitals() {
        assert!(FORMER.is_sorted() && FORMER.iter().all(|code| !is_code(code)));
        assert!(CODES.is_sorted());
        assert!(
            CODES
                .iter()
                .all(|code| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()))
        );
    }

    #[test]
    fn each_currency_divides_as_iso_4217_has_it() {
        for code in WHOLE.iter().chain(THOUSANDTHS) {
            assert!(is_code(code), "{code}");
        }
        assert!(WHOLE.is_sorted() && THOUSANDTHS.is_sorted());
        assert_eq!(["JPY", "KRW", "EUR", "MRU", "KWD"].map(decimals), [0, 0, 2, 2, 3]);
        let amount = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(divides("JPY", amount("100.00")), Ok(()));
        assert_eq!(
            divides("JPY", amount("100.55")).unwrap_err().to_string(),
            "must be whole: amounts in JPY have no decimals"
        );
        assert_eq!(divides("EUR", amount("100.550")), Ok(()));
        assert_eq!(
            divides("EUR", amount("0.125")).unwrap_err().to_string(),
            "must have at most 2 decimals in EUR"
        );
    }

    #[test]
    fn a_currency_that_divides_more_finely_than_the_columns_is_refused_by_name() {
        for code in THOUSANDTHS {
            let told = check(code).unwrap_err().to_string();
            assert!(told.contains(code) && told.contains("3 decimals"), "{told}");
        }
        assert_eq!((check("EUR"), check("JPY")), (Ok(()), Ok(())));
        assert_eq!(usable("XXX"), Err(Barred::Unknown));
    }

    #[test]
    fn an_amount_is_in_a_currency() {
        let one = Some(Decimal::ONE);
        assert!(named(None, one).is_err());
        assert_eq!(named(None, None), Ok(()));
        assert_eq!(named(Some("EUR"), one), Ok(()));
        assert!(divides_named(Some("JPY"), Some(Decimal::new(15, 1))).is_err());
        assert_eq!(divides_named(None, Some(Decimal::new(15, 1))), Ok(()));
    }

    #[test]
    fn only_a_code_in_circulation_in_capitals_is_one() {
        assert!(is_code("EUR") && is_code("JPY"));
        assert!(!is_code("eur") && !is_code("DEM") && !is_code("XXX") && !is_code(""));
    }
}
