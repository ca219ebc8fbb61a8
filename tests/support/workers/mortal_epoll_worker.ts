/** The workers of epoll_engine_test.ts. */

import { dieWhenTold } from "./mortal.ts";

dieWhenTold("mortal_epoll_worker");
