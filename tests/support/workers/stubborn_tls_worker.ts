/** The workers of tls_reload_test.ts. */

import { askBefore } from "./stubborn.ts";

askBefore("stubborn_tls_worker");
