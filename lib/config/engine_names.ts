/** What `engine` and `--engine` can name. */
export const ENGINES = ["auto", "runtime", "epoll"] as const;

export type EngineChoice = typeof ENGINES[number];

/** One that runs. */
export type EngineName = Exclude<EngineChoice, "auto">;
