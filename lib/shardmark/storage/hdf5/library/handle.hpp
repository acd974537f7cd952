// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hdf5.h>

#include <utility>

#include "shardmark/storage/hdf5/library/hdf5_state.hpp"

namespace shardmark {

/// Move-only owner of an hid_t and of the function that closes it. A close that fails here is
/// remembered (note_hdf5_close) and fails the next close of a file, which is always explicit.
/// `in_file`: the object lies in a file, so closing it is a call that counts.
template <herr_t (*close)(hid_t), bool in_file>
class H5Handle {
 public:
  H5Handle() = default;
  explicit H5Handle(hid_t id) noexcept : id_(id) {}
  ~H5Handle() { reset(); }
  H5Handle(H5Handle&& other) noexcept : id_(other.release()) {}
  H5Handle& operator=(H5Handle&& other) noexcept {
    if (this != &other) {
      reset();
      id_ = other.release();
    }
    return *this;
  }

  hid_t get() const noexcept { return id_; }
  explicit operator bool() const noexcept { return id_ >= 0; }
  hid_t release() noexcept { return std::exchange(id_, H5I_INVALID_HID); }

 private:
  void reset() noexcept {
    if (id_ >= 0) {
      note_hdf5_close(close(id_) >= 0, in_file);
    }
    id_ = H5I_INVALID_HID;
  }
  hid_t id_ = H5I_INVALID_HID;
};

using H5File = H5Handle<H5Fclose, true>;
using H5Group = H5Handle<H5Gclose, true>;
using H5Dataset = H5Handle<H5Dclose, true>;
using H5Space = H5Handle<H5Sclose, false>;
using H5Type = H5Handle<H5Tclose, false>;
using H5Properties = H5Handle<H5Pclose, false>;
using H5Attribute = H5Handle<H5Aclose, true>;

}  // namespace shardmark
