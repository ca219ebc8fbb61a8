/** The handlers that are exchanges. */

import { daytimeText, whoamiText } from "./announce.ts";
import { type Exchange, SAME } from "./exchange.ts";
import type { HandlerContext } from "./handler.ts";
import type { HandlerName } from "./handlers.ts";
import { HttpExchange } from "./http.ts";

const ECHO: Exchange = { received: () => SAME, isOver: false };
const DISCARD: Exchange = { received: () => undefined, isOver: false };

/** Each answers what the handler of its name answers. Those that are missing read and write at their own pace. */
export const exchanges: Readonly<Partial<Record<HandlerName, (context: HandlerContext) => Exchange>>> = {
  echo: () => ECHO,
  discard: () => DISCARD,
  daytime: (context) => announcement(daytimeText(context)),
  whoami: (context) => announcement(whoamiText(context)),
  http: ({ name }) => new HttpExchange(name),
};

function announcement(text: string): Exchange {
  return { opening: new TextEncoder().encode(text), received: () => undefined, isOver: true };
}
