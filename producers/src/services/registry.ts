// The services of the reference domain by name: what `cli.js service <name>` can run.
import type { AnyService } from '../service/definition.ts';
import { dashboardService } from './dashboard/service.ts';
import { notificationsService } from './notifications/service.ts';
import { leaderboardService } from './leaderboard/service.ts';
import { activitiesService } from './activities/service.ts';
import { feedService } from './feed/service.ts';
import { chatService } from './chat/service.ts';
import { promotionsService } from './promotions/service.ts';
import { ordersService } from './orders/service.ts';
import { paymentsService } from './payments/service.ts';
import { deliveriesService } from './deliveries/service.ts';
import { cartService } from './cart/service.ts';
import { walletService } from './wallet/service.ts';

export const SERVICES: Readonly<Record<string, AnyService>> = Object.fromEntries(
  [
    ordersService,
    paymentsService,
    deliveriesService,
    cartService,
    walletService,
    promotionsService,
    chatService,
    feedService,
    activitiesService,
    leaderboardService,
    notificationsService,
    dashboardService,
  ].map((service: AnyService) => [service.name, service]),
);
