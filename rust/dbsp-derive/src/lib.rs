//! The derive macro of [`qadataswap-dbsp`](https://docs.rs/qadataswap-dbsp): what a struct needs to be a row.

mod columns;
mod fields;

use syn::DeriveInput;

/// Makes a struct a row: implements `qadataswap_dbsp::Data` for it.
///
/// Of `struct Trade` it makes `TradeRef<'a>`, a row that stays in its column, with the fields of `Trade` as one looks at
/// them there (`&'a str` for a `String`), and `TradeColumns`, a column for each field. Both are as visible as `Trade`, and
/// their fields as its fields. Rows order by their fields, from first to last, as the derived `Ord` of `Trade` does; a
/// hand-written one has to do the same. A struct's rows hash as those of a tuple of its fields.
///
/// `Trade` has to have `Clone`, `Debug`, `PartialEq`, `Eq`, `PartialOrd` and `Ord`, has no parameters, and its fields are
/// rows themselves. Where all of them convert to Arrow, so does it, as a struct of its fields.
#[proc_macro_derive(Data)]
pub fn data(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    columns::expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

#[cfg(test)]
mod tests;
