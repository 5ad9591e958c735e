//! The safetensors dtypes and their widths.

use serde::Deserialize;

macro_rules! dtypes {
    ($($variant:ident = $name:literal, $bits:literal;)*) => {
        /// An element type of the safetensors format (crate `safetensors` 0.8, `Dtype`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        pub enum Dtype {
            $(#[doc = concat!("`", $name, "`, ", $bits, " bits.")] #[serde(rename = $name)] $variant,)*
        }

        impl Dtype {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in the file.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Bits per element.
            #[must_use]
            pub const fn bits(self) -> u64 {
                match self { $(Self::$variant => $bits,)* }
            }
        }
    };
}

dtypes! {
    Bool = "BOOL", 8;
    F4 = "F4", 4;
    F6E2m3 = "F6_E2M3", 6;
    F6E3m2 = "F6_E3M2", 6;
    U8 = "U8", 8;
    I8 = "I8", 8;
    F8E5m2 = "F8_E5M2", 8;
    F8E4m3 = "F8_E4M3", 8;
    F8E8m0 = "F8_E8M0", 8;
    F8E4m3Fnuz = "F8_E4M3FNUZ", 8;
    F8E5m2Fnuz = "F8_E5M2FNUZ", 8;
    I16 = "I16", 16;
    U16 = "U16", 16;
    F16 = "F16", 16;
    Bf16 = "BF16", 16;
    I32 = "I32", 32;
    U32 = "U32", 32;
    F32 = "F32", 32;
    C64 = "C64", 64;
    F64 = "F64", 64;
    I64 = "I64", 64;
    U64 = "U64", 64;
}
