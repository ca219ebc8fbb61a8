/** Gives the local address of the next dial of a family; undefined when the system is to choose. */
export type NextSource = (isIPv6: boolean) => string | undefined;
