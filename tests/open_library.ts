/**
 * Opens the C library before the first test. It stays open, which the resource
 * sanitizer would report as a leak of the first test that uses it.
 *
 * @module
 */

// The functions of adapters have tables of their own.
import "../backends/ffi/file_calls.ts";
import "../backends/ffi/process_calls.ts";
import { openLibrary } from "../backends/ffi/libc.ts";

openLibrary();
