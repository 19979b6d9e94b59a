import { amount, fault } from "./faults";
import { killAtEachWrite } from "./writes";

const LIVES = amount(90, 9);

fault(`killed at each write of ${LIVES} lives, a listener loses no due time and runs none twice`, {}, async (t) =>
  t.diagnostic(killAtEachWrite(LIVES, 1)),
);
