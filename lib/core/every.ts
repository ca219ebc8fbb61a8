/** Calls again and again, so many milliseconds apart, until the returned function is called. */
export type Every = (ms: number, call: () => void) => () => void;

/** By a timer of the runtime. */
export const every: Every = (ms, call) => {
  const timer = setInterval(call, ms);
  return () => clearInterval(timer);
};
