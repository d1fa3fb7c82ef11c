/**
 * Opens the C library before the first test. It stays open, which the resource
 * sanitizer would report as a leak of the first test that uses it.
 *
 * @module
 */

import { openLibrary } from "../backends/ffi/libc.ts";

openLibrary();
