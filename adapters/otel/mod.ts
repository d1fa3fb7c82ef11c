/**
 * Metrics of a reactor by OpenTelemetry. It is the one part of the package with a
 * dependency, `npm:@opentelemetry/api`, which only its importers load.
 *
 * Deno's own exporter sends the metrics with `OTEL_DENO=true`, without further set-up.
 * Any other `MeterProvider` that is registered with the API does so, too.
 *
 * @module
 */

export { instrument, type InstrumentOptions } from "./instrument.ts";
