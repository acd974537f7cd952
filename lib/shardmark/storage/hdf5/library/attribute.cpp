// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/library/attribute.hpp"

#include <algorithm>
#include <cstddef>

#include "shardmark/storage/hdf5/library/hdf5_call.hpp"

namespace shardmark {

/// In the file; in memory it is the same, this program runs on little-endian machines alone.
Result<H5Type> AttributeValue::type() const {
  if (kind_ != Kind::text) {
    const hid_t standard = kind_ == Kind::signed_word ? H5T_STD_I64LE : H5T_STD_U64LE;
    return hdf5_handle<H5Type>(H5Tcopy(standard), "H5Tcopy", "of an attribute");
  }
  SHARDMARK_ASSIGN_OR_RETURN(H5Type type,
                             hdf5_handle<H5Type>(H5Tcopy(H5T_C_S1), "H5Tcopy", "of a text"));
  if (H5Tset_size(type.get(), std::max<std::size_t>(text_.size(), 1)) < 0 ||
      H5Tset_cset(type.get(), H5T_CSET_UTF8) < 0 ||
      H5Tset_strpad(type.get(), H5T_STR_NULLPAD) < 0) {
    return hdf5_error("H5Tset_size", "of a text");
  }
  return type;
}

Status AttributeValue::write(const H5Attribute& attribute, const H5Type& type,
                             const char* name) const {
  const void* const value = kind_ == Kind::text ? static_cast<const void*>(text_.c_str())
                                                : static_cast<const void*>(&word_);
  return hdf5_status(H5Awrite(attribute.get(), type.get(), value), "H5Awrite", name);
}

Status AttributeValue::create(hid_t object, const char* name) const {
  SHARDMARK_ASSIGN_OR_RETURN(const H5Type stored, type());
  SHARDMARK_ASSIGN_OR_RETURN(const H5Space scalar,
                             hdf5_handle<H5Space>(H5Screate(H5S_SCALAR), "H5Screate", name));
  SHARDMARK_ASSIGN_OR_RETURN(
      const H5Attribute attribute,
      hdf5_handle<H5Attribute>(
          H5Acreate2(object, name, stored.get(), scalar.get(), H5P_DEFAULT, H5P_DEFAULT),
          "H5Acreate2", name));
  return write(attribute, stored, name);
}

Status AttributeValue::rewrite(hid_t object, const char* name) const {
  SHARDMARK_ASSIGN_OR_RETURN(const H5Type stored, type());
  SHARDMARK_ASSIGN_OR_RETURN(
      const H5Attribute attribute,
      hdf5_handle<H5Attribute>(H5Aopen(object, name, H5P_DEFAULT), "H5Aopen", name));
  return write(attribute, stored, name);
}

}  // namespace shardmark
