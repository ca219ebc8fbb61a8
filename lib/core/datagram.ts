/** Sizes of datagrams. */

/** The longest over IPv4: 65,535 bytes without the headers of IP and UDP (RFC 791, RFC 768). None that is longer is sent. */
export const MAX_DATAGRAM_BYTES = 65_507;

/** Room for any datagram, also over IPv6: the length with the header of UDP is a number of 16 bits (RFC 768). */
export const DATAGRAM_BUFFER_BYTES = 65_535;
