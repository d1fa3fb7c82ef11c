/**
 * Opens the C library before the first test: the resource sanitizer takes what
 * stays open for the whole program for a leak of the test that opened it.
 *
 * @module
 */

import { openLibrary } from "../backends/ffi/libc.ts";

openLibrary();
