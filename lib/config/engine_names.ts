/** What `engine` and `--engine` can name. */
export const ENGINES = ["auto", "runtime", "epoll"] as const;

export type EngineChoice = typeof ENGINES[number];

/** One that runs. */
export type EngineName = Exclude<EngineChoice, "auto">;

/** What `confinement` can say. */
export const CONFINEMENTS = ["best_effort", "required"] as const;

export type ConfinementChoice = typeof CONFINEMENTS[number];
