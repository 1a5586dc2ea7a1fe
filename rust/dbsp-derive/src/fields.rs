//! The fields of the struct, and what is said when it is none.

use proc_macro2::Span;
use quote::{ToTokens, format_ident};
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Fields, Ident, Member, Result, Type, Visibility, parse_quote,
};

/// A field, and what is made of it.
pub(crate) struct Field {
    pub(crate) member: Member,
    /// Its name where tokens need one, also if it is a number.
    pub(crate) name: Ident,
    pub(crate) visibility: Visibility,
    pub(crate) docs: Vec<Attribute>,
    pub(crate) of: Type,
}

/// Returns the fields of a struct that can be a row.
pub(crate) fn fields(input: &DeriveInput) -> Result<Vec<Field>> {
    let fields = match &input.data {
        Data::Struct(data) => &data.fields,
        Data::Enum(data) => {
            return Err(refused(
                data.enum_token.span,
                "an enum cannot be a row: its variants have no columns in common; make it a struct of `Option`s, \
                 one for each variant",
            ));
        }
        Data::Union(data) => {
            return Err(refused(
                data.union_token.span,
                "a union cannot be a row: nothing says which field is there; make it a struct",
            ));
        }
    };
    if !input.generics.params.is_empty() {
        let message = "a row has no parameters: its columns are made for one type; derive `Data` for a struct without them";
        return Err(Error::new_spanned(&input.generics, message));
    }
    if fields.is_empty() {
        return Err(refused(input.ident.span(), "a row has at least one field; the row of none is `()`"));
    }
    Ok(fields.iter().zip(fields.members()).map(|(field, member)| Field::new(field, member, fields)).collect())
}

fn refused(at: Span, message: &str) -> Error {
    Error::new(at, message)
}

impl Field {
    fn new(field: &syn::Field, member: Member, all: &Fields) -> Self {
        let name = match &member {
            Member::Named(name) => name.clone(),
            Member::Unnamed(index) => format_ident!("field{}", index.index, span = field.span()),
        };
        let mut docs: Vec<Attribute> =
            field.attrs.iter().filter(|attr| attr.path().is_ident("doc")).cloned().collect();
        if docs.is_empty() {
            let text = match all {
                Fields::Named(_) => format!(" Field `{}`.", member.to_token_stream()),
                _ => format!(" Component {}.", member.to_token_stream()),
            };
            docs.push(parse_quote!(#[doc = #text]));
        }
        Self { member, name, visibility: field.vis.clone(), docs, of: field.ty.clone() }
    }

    /// Its name in Arrow: a raw identifier's without its mark, a number where it has no name.
    pub(crate) fn text(&self) -> String {
        match &self.member {
            Member::Named(name) => name.to_string().trim_start_matches("r#").to_owned(),
            Member::Unnamed(index) => index.index.to_string(),
        }
    }
}
